/** Every cause an operation can fail with, in one catalogue: the types prove that all used are here, a test that all here are used. */

type Entry = {
  /** What happened, as a title. */
  title: string
  /** What to do where the failure itself says nothing more exact. */
  remedy: string
}

export const causes = {
  'admin-refused': {
    title: 'The server refuses the platform’s own admin user',
    remedy: 'stop the instance and start it again: that restores its users',
  },
  'aof-rewrite': {
    title: 'The first append-only file is being written from a snapshot',
    remedy: 'wait; it ends by itself',
  },
  'bad-id': { title: 'A server’s id is not one of the platform’s', remedy: 'report it: the platform made a mistake' },
  cancelled: { title: 'A person cancelled the operation', remedy: 'retry where the change is wanted after all' },
  'config-error': {
    title: 'The server refuses its configuration',
    remedy: 'read valkey.log of the server; take back the setting that it names, then retry',
  },
  'data-aof-gone': {
    title: 'The append-only file is gone; an older snapshot is left',
    remedy: 'put appendonlydir back, or accept the snapshot: valkeep instance retry NAME --accept-data rdb',
  },
  'data-gone': {
    title: 'The data directory is empty though the instance had data',
    remedy: 'put the data back, or accept an empty start: valkeep instance retry NAME --accept-data empty',
  },
  'data-unsafe': {
    title: 'A start would lose data',
    remedy: 'put the missing files back from a copy, then retry',
  },
  'directory-unsafe': {
    title: 'A directory of the platform is a link or another user’s',
    remedy: 'remove it or choose another directory',
  },
  'disk-full': { title: 'The disk is full', remedy: 'free space on the node, then retry' },
  'does-not-converge': {
    title: 'Something keeps undoing what the platform does',
    remedy: 'look at the steps of this operation, and for another program that changes the same server',
  },
  'engine-changed': {
    title: 'The valkey-server program is of another series than the instance',
    remedy:
      'set VALKEY_SERVER to a program of the instance’s series and start the platform again, or accept the newer one: retry with accept_engine',
  },
  'engine-missing': {
    title: 'There is no valkey-server program',
    remedy: 'install it again, or set VALKEY_SERVER and start the platform again, then retry',
  },
  'engine-refused': {
    title: 'The server refuses a command of the platform',
    remedy: 'read the message; where a setting is at fault, take it back, then retry',
  },
  'engine-too-old': { title: 'Valkey is older than 8.0', remedy: 'install Valkey 8.0 or newer, or set VALKEY_SERVER' },
  'engine-unusable': {
    title: 'The program found is no valkey-server that can be run',
    remedy: 'set VALKEY_SERVER to a valkey-server',
  },
  exited: { title: 'The server ended while it started', remedy: 'read valkey.log of the server, then retry' },
  frozen: {
    title: 'The process is stopped by a signal and answers nobody',
    remedy: 'continue it: kill -CONT PID',
  },
  'key-missing': {
    title: 'A certificate came without its key',
    remedy: 'report it: the platform made a mistake',
  },
  loading: { title: 'The server is loading its data', remedy: 'wait; large data takes minutes' },
  malformed: { title: 'A sealed secret is damaged', remedy: 'put the database back from a backup' },
  'node-refused': {
    title: 'The node’s file system refuses',
    remedy: 'look at the owner and the modes of that path, then retry',
  },
  'not-authentic': {
    title: 'A sealed secret was altered or moved',
    remedy: 'put the database and the key file back from one backup',
  },
  'path-too-long': {
    title: 'The directory of the sockets has too long a name',
    remedy: 'choose a shorter one: --runtime-dir, VALKEEP_RUNTIME_DIR',
  },
  'port-taken': {
    title: 'Another program holds the instance’s port',
    remedy: 'end that program (ss -ltnp names it), then retry',
  },
  silent: {
    title: 'The process lives but does not answer',
    remedy:
      'look at the node’s load and at valkey.log of the server; where it stays so, end the process: it is started anew',
  },
  'step-failed': {
    title: 'A step failed for a reason of no known kind',
    remedy: 'look for the operation’s id in the platform’s log',
  },
  'step-timeout': {
    title: 'A step did not end in time',
    remedy: 'look at the node’s load and disks, then retry',
  },
  'stranger-on-socket': {
    title: 'Another process answers on the server’s socket',
    remedy: 'end that process if it is not wanted',
  },
  'tls-unreachable': {
    title: 'Clients cannot connect over TLS',
    remedy: 'look whether the node still has its address and what filters its ports, then retry',
  },
  unreachable: {
    title: 'The server cannot be reached',
    remedy: 'read valkey.log of the server, then retry',
  },
  'users-refused': {
    title: 'The server refuses some users’ rules',
    remedy: 'change the user’s privileges or patterns as the message says',
  },
  'will-not-end': {
    title: 'A killed process does not end',
    remedy: 'it waits for a device: look at the machine’s disks, then retry',
  },
  'wrong-key': {
    title: 'The key file does not open a secret',
    remedy: 'put the key file that belongs to this data directory back, start the platform again, then retry',
  },
} as const satisfies Record<string, Entry>

/** Stable; what a program should look at. */
export type CauseCode = keyof typeof causes

export const isCauseCode = (text: string): text is CauseCode => Object.hasOwn(causes, text)

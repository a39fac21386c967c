/** The files of a stack: which there are, who may read them, and whether the container can. */
import { fail, type Finding, ok, warn } from '../../finding.ts'
import { healthPasswordFile } from '../compose.ts'
import { certificateFiles, mountedCertificates, scriptFiles, secretFiles } from '../places.ts'
import type { StackSpec } from '../spec.ts'
import { type Names, octal, type PathFacts } from './facts.ts'
import { judgeSwappable, swappablePaths } from './swappable.ts'

export type StackFile = {
  path: string
  /** Whose it is: its owner's alone, everybody's to read, or everybody's to run. */
  kind: 'secret' | 'plain' | 'program'
  /** Who reads it inside the container. */
  reader: 'server' | 'health check' | 'nobody'
  /** What makes it: `certs` is `valkeep stack certs`. */
  made: string
  /** What comes of its absence; `fine`: a person may have taken it away. */
  absence: { status: 'fail' | 'warn'; so: string } | 'fine'
}

const noStart = { status: 'fail', so: 'docker would not start the service' } as const

function certificates({ files }: StackSpec): StackFile[] {
  const { caKey, caCert, serverCert, serverKey, clientKey } = certificateFiles
  const keys: readonly string[] = [serverKey, clientKey]
  const ofServer: readonly string[] = [caCert, serverCert, serverKey]
  return [
    // Whoever keeps it elsewhere does well.
    { path: `${files.certs}/${caKey}`, kind: 'secret', reader: 'nobody', made: 'certs', absence: 'fine' },
    ...mountedCertificates.map(
      (name): StackFile => ({
        path: `${files.certs}/${name}`,
        kind: keys.includes(name) ? 'secret' : 'plain',
        reader: ofServer.includes(name) ? 'server' : 'health check',
        made: 'certs',
        absence: noStart,
      }),
    ),
  ]
}

function secrets(spec: StackSpec): StackFile[] {
  const { files, users } = spec
  const at = (name: string) => `${files.secrets}/${name}`
  const health = healthPasswordFile(spec)
  const own = Object.entries(users).flatMap(([user, { password_file: file }]): StackFile[] =>
    file === undefined || file === health
      ? []
      : [
          {
            path: at(file),
            kind: 'secret',
            reader: 'nobody',
            made: 'secrets',
            absence: { status: 'warn', so: `a consumer that is ${user} finds no password there` },
          },
        ],
  )
  return [
    { path: at(secretFiles.acl), kind: 'secret', reader: 'server', made: 'secrets', absence: noStart },
    { path: at(health), kind: 'secret', reader: 'health check', made: 'secrets', absence: noStart },
    ...own,
    // Handed out, it may be taken away.
    { path: at(secretFiles.env), kind: 'secret', reader: 'nobody', made: 'secrets', absence: 'fine' },
  ]
}

function scripts({ files }: StackSpec): StackFile[] {
  const noNode = { status: 'warn', so: 'a place without Node has nothing to do the same with' } as const
  return [scriptFiles.health, scriptFiles.certs, scriptFiles.secrets].map((name) => ({
    path: `${files.scripts}/${name}`,
    kind: 'program',
    reader: name === scriptFiles.health ? 'health check' : 'nobody',
    made: 'init',
    absence: name === scriptFiles.health ? noStart : noNode,
  }))
}

/** Every file of a stack but stack.yaml, without which there is none, and .gitignore. */
export function stackFiles(spec: StackSpec): StackFile[] {
  const { files } = spec
  return [
    ...certificates(spec),
    ...secrets(spec),
    { path: files.config, kind: 'plain', reader: 'server', made: 'conf', absence: noStart },
    ...scripts(spec),
    {
      path: files.compose,
      kind: 'plain',
      reader: 'nobody',
      made: 'compose',
      absence: { status: 'fail', so: 'docker has nothing to start' },
    },
  ]
}

export type FilesFacts = {
  /** By path: those of stackFiles and of swappablePaths, and the directory of the secrets. */
  paths: ReadonlyMap<string, PathFacts>
}

const modeOf = { secret: '600', plain: '644', program: '755' } as const

/** What is there, and what this user could not look at. */
export function judgeFiles(spec: StackSpec, { paths }: FilesFacts, names: Names): Finding[] {
  const files = stackFiles(spec)
  const of = (file: StackFile) => paths.get(file.path)
  const there = files.filter((file) => of(file)?.kind === 'file')
  const missing = files.flatMap((file) => presence(file, of(file), names))
  const swappable = swappablePaths(spec)
  const open = [
    ...there.flatMap((file) => openness(file, of(file), swappable.includes(file.path), names)),
    ...secretDir(spec, paths, names),
    ...judgeSwappable(spec, paths, names),
  ]
  const shut = there.flatMap((file) => access(spec, file, of(file), names))
  const unread = files.filter((file) => isUnread(of(file)) && access(spec, file, of(file), names).length === 0)
  // Of what was not seen nothing is said to be well.
  const well = (finding: Finding) => (files.some((file) => of(file)?.kind === 'unseen') ? [] : [finding])
  return [
    ...(missing.length > 0 ? missing : well(ok('files', `all ${there.length} are there`))),
    ...(open.length > 0 ? open : well(ok('permissions', 'secrets and keys are their owner’s alone'))),
    ...(shut.length > 0 ? shut : well(ok('owners', `user ${spec.service.user} can read what the container mounts`))),
    ...(unread.length > 0 ? [notLookedAt(unread, names)] : []),
  ]
}

const isUnread = (facts: PathFacts | undefined): boolean =>
  facts?.kind === 'unseen' || (facts?.kind === 'file' && !facts.readable)

function notLookedAt(files: readonly StackFile[], { shown }: Names): Finding {
  const list = files.map(({ path }) => shown(path)).join(', ')
  return fail(
    'access',
    `this user cannot read ${list}: what stands there was not checked`,
    'Run this as root, or as the user that the stack belongs to.',
  )
}

function presence(file: StackFile, facts: PathFacts | undefined, { shown, word, command }: Names): Finding[] {
  const path = shown(file.path)
  const make = command(file.made)
  if (facts === undefined || facts.kind === 'missing') {
    if (file.absence === 'fine') return []
    const { status, so } = file.absence
    return [(status === 'fail' ? fail : warn)('files', `${path} is missing: ${so}`, make)]
  }
  if (facts.kind === 'directory')
    return [
      fail(
        'files',
        `${path} is a directory: docker makes one where it mounts a file that is missing`,
        `rmdir ${word(file.path)} && ${make}`,
      ),
    ]
  return facts.kind === 'other' ? [fail('files', `${path} is no regular file`, `Move it away, then ${make}`)] : []
}

/** What others may do with a file that is not theirs. */
function openness(
  file: StackFile,
  facts: PathFacts | undefined,
  isJudgedElsewhere: boolean,
  { shown, word }: Names,
): Finding[] {
  if (facts === undefined) return []
  const what = `${shown(file.path)} (${octal(facts.mode)})`
  const fix = `chmod ${modeOf[file.kind]} ${word(file.path)}`
  if (file.kind === 'secret' && (facts.mode & 0o177) !== 0)
    return [fail('permissions', `${what} is open to others`, fix)]
  if ((facts.mode & 0o002) !== 0 && !isJudgedElsewhere) return [fail('permissions', `everybody may write ${what}`, fix)]
  if (file.kind === 'program' && file.reader === 'nobody' && (facts.mode & 0o100) === 0)
    return [warn('permissions', `${what} cannot be run`, fix)]
  return []
}

function secretDir({ files }: StackSpec, paths: FilesFacts['paths'], { shown, word }: Names): Finding[] {
  const facts = paths.get(files.secrets)
  if (facts?.kind !== 'directory' || (facts.mode & 0o077) === 0) return []
  return [
    fail(
      'permissions',
      `${shown(files.secrets)} (${octal(facts.mode)}) is open to others`,
      `chmod 700 ${word(files.secrets)}`,
    ),
  ]
}

const outcome = {
  server: 'the server would end at once, again and again',
  'health check': 'the health check would fail, and the container never be healthy',
} as const

/** Without any capability, root inside the container is held to the mode like everybody else (facts §6). */
function access(spec: StackSpec, file: StackFile, facts: PathFacts | undefined, { shown, word }: Names): Finding[] {
  if (file.reader === 'nobody' || facts?.kind !== 'file') return []
  const { user } = spec.service
  const needed = file.kind === 'program' ? 0o5 : 0o4
  const granted = bitsFor(facts, user)
  if ((granted & needed) === needed) return []
  const [verb, path] = [(granted & 0o4) === 0 ? 'read' : 'run', word(file.path)]
  const detail = `user ${user} of the container cannot ${verb} ${shown(file.path)} (owner ${facts.uid}:${facts.gid}, ${octal(facts.mode)})`
  const isOwner = `${facts.uid}:${facts.gid}` === user
  const chmod = `chmod ${modeOf[file.kind]} ${path}`
  return [
    fail(
      'owners',
      `${detail}: ${outcome[file.reader]}`,
      isOwner || file.kind !== 'secret' ? chmod : `As root: chown ${user} ${path} && ${chmod}`,
    ),
  ]
}

/** Of read, write and execute, what a user has of a file. @param user `UID:GID` */
function bitsFor({ uid, gid, mode }: PathFacts, user: string): number {
  const [ownUid, ownGid] = user.split(':').map(Number)
  if (uid === ownUid) return (mode >> 6) & 0o7
  return gid === ownGid ? (mode >> 3) & 0o7 : mode & 0o7
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertFindings, bad, type Expected, names } from '../../../../test/support/stack-check.ts'
import { renderConfSections } from '../../conf/render.ts'
import { stackConfSections } from '../conf.ts'
import { defaultSpec } from '../default-spec.ts'
import type { StackSpec } from '../spec.ts'
import { judgeConf } from './conf.ts'

const spec = defaultSpec()
const text = (of: StackSpec = spec) => renderConfSections(['written'], stackConfSections(of))
const judge = (conf: string | undefined, of: StackSpec = spec) => judgeConf(of, conf, names)

const broken = (detail: RegExp): Expected[] => [['fail', 'valkey.conf', detail]]
const otherwise = (detail: RegExp): Expected[] => [['warn', 'valkey.conf', detail, /say it in stack\.yaml|--force/]]

/** A line in place of the one that begins so; an empty one takes it out. */
const line = (directive: string, by: string) => (conf: string) =>
  conf.replace(new RegExp(`^${directive}( .*)?$`, 'm'), by)
const more = (by: string) => (conf: string) => `${conf}${by}\n`

const edits: [edit: (conf: string) => string, expected: Expected[]][] = [
  [line('port', 'port 6379'), broken(/has port 6379 where stack\.yaml wants 0: .*without TLS/)],
  [line('port', ''), broken(/does not say port/)],
  [line('tls-port', 'tls-port 6380'), broken(/nobody at port 6379/)],
  [line('tls-auth-clients', 'tls-auth-clients optional'), broken(/clients need no certificate/)],
  [line('tls-auth-clients', ''), []],
  [line('tls-protocols', ''), []],
  [line('tls-protocols', 'tls-protocols "TLSv1.3 TLSv1.2"'), []],
  [line('tls-protocols', 'tls-protocols "TLSv1 TLSv1.2"'), broken(/a TLS that is broken/)],
  [
    line('tls-cert-file', 'tls-cert-file /etc/valkey/tls/client.crt'),
    broken(/not the file that the compose file mounts/),
  ],
  [line('bind', 'bind 127.0.0.1 -valkey'), []],
  [line('bind', 'bind *'), broken(/has bind \* where stack\.yaml wants valkey 127\.0\.0\.1/)],
  [line('bind', ''), broken(/does not say bind/)],
  // The image's server is built without it.
  [line('protected-mode', ''), broken(/does not say protected-mode/)],
  [line('aclfile', ''), broken(/aclfile/)],
  [line('rename-command KEYS', ''), broken(/leaves KEYS in place/)],
  [line('rename-command KEYS', 'rename-command keys ""'), []],
  [line('rename-command KEYS', 'rename-command KEYS hunter2'), broken(/gives KEYS another name/)],
  [more('rename-command KEYS ""'), broken(/renames a command twice/)],
  [more('rename-command GET hunter2'), otherwise(/rename-command GET, of which/)],
  [line('dir', 'dir /tmp'), broken(/not in the volume/)],
  [line('appendonly', 'appendonly no'), broken(/a restart loses/)],
  [
    line('appendfilename', 'appendfilename other.aof'),
    broken(/other\.aof where stack\.yaml wants molis\.aof: .*no data/),
  ],
  [line('dbfilename', ''), broken(/dbfilename/)],
  [line('appendfsync', ''), []],
  [line('appendfsync', 'appendfsync no'), otherwise(/appendfsync no/)],
  [line('maxmemory', 'maxmemory 256MB'), []],
  [line('maxmemory', 'maxmemory 268435456'), []],
  [line('maxmemory', 'maxmemory 300mb'), otherwise(/maxmemory 300mb where stack\.yaml wants 256mb/)],
  [line('maxmemory', 'maxmemory 600mb'), broken(/the kernel ends the server at 512 MB/)],
  [line('maxmemory', ''), broken(/the kernel/)],
  [line('save 60', 'save 60 1'), otherwise(/has save 900 1 300 10 60 1 where/)],
  [(conf) => conf.replace(/^save .*\n/gm, '').concat('save 900 1 300 10 60 10000\n'), []],
  [more('save ""'), otherwise(/has save "" where/)],
  [line('client-output-buffer-limit replica', 'client-output-buffer-limit slave 65536kb 32mb 60'), []],
  [line('client-output-buffer-limit normal', ''), otherwise(/does not say client-output-buffer-limit normal/)],
  [line('logfile', ''), []],
  [line('maxclients', 'maxclients 50'), otherwise(/maxclients 50 where stack\.yaml wants 100/)],
  [more('maxclients 50'), otherwise(/maxclients 50/)],
  [more('requirepass hunter2'), broken(/has requirepass: /)],
  [more('requirepass ""'), []],
  [more('user a on nopass'), broken(/has user: /)],
  [more('include /etc/valkey/more.conf'), broken(/include/)],
  [more('replicaof 10.0.0.1 6379'), broken(/drop its data/)],
  [more('enable-debug-command local'), broken(/DEBUG/)],
  [more('enable-debug-command no'), []],
  [more('daemonize yes'), broken(/ends at once/)],
  [more('primaryauth hunter2'), otherwise(/has primaryauth, of which stack\.yaml knows nothing$/)],
  [more('databases 16'), []],
  [more('maxclients 100 # hunter2'), broken(/line \d+ has a comment behind a directive/)],
  [more('logfile "#1"'), otherwise(/logfile #1/)],
  [more('logfile "hunter2'), broken(/line \d+: unbalanced quotes, and the server does not start/)],
  [more('maxclients'), broken(/no directive with a value/)],
  [(conf) => `\ufeff${conf}`.replace('\ufeff# written', '\ufeffport 0'), broken(/no directive with a value/)],
  [(conf) => conf.replaceAll('\n', '\r\n'), []],
]

test('a file as it is written is well, and each difference is one finding, of what it means', () => {
  assertFindings(judge(text()), [], 'as written')
  assert.deepEqual(judge(undefined), [])
  for (const [edit, expected] of edits) {
    const edited = edit(text())
    assert.notEqual(edited, text(), String(edit))
    const findings = judge(edited)
    const changed = edited.split('\n').filter((each) => !text().includes(each))
    assertFindings(findings, expected, changed.join('; '))
    assert.doesNotMatch(JSON.stringify(findings), /hunter2/)
  }
})

test('a timeout comes with what it asks of clients', () => {
  const timeout = (seconds: number) => {
    const of = { ...spec, server: { ...spec.server, timeout_s: seconds } }
    return judge(text(of), of).find(({ check }) => check === 'timeout')?.detail
  }
  assert.match(timeout(300) ?? '', /^300 s: a client .* has to PING, or server\.timeout_s has to be 0/)
  assert.match(timeout(0) ?? '', /idle connections stay open/)
})

test('I/O threads: what the CPU limit carries, with the figures; what stack.yaml does not want', () => {
  const of = (io_threads: number, cpus: number): StackSpec => ({
    ...spec,
    server: { ...spec.server, io_threads },
    service: { ...spec.service, cpus },
  })
  const source = of(4, 1)
  assertFindings(
    judge(text(source), source),
    [['warn', 'io-threads', /^4 I\/O threads on 1 CPU: .*43,000.*3,600/, /io_threads: auto/]],
    'source',
  )
  assert.deepEqual(bad(judge(text(of(4, 4)), of(4, 4))), [])
  assertFindings(
    judge(text(of(2, 4)), of(4, 4)),
    [['warn', 'io-threads', /has 2 where stack\.yaml wants 4/]],
    'another number',
  )
})

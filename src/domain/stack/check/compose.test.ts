import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertFindings, bad, type Expected, names } from '../../../../test/support/stack-check.ts'
import {
  absolute,
  broken,
  type Change,
  changed,
  type File,
  judge,
  mount,
  otherwise,
  paths,
  type Service,
  spec,
  volumes,
  written,
} from '../../../../test/support/stack-check-compose.ts'
import { stackCompose } from '../compose.ts'
import { defaultSpec } from '../default-spec.ts'
import { judgeCompose } from './compose.ts'

const confined: [Change, Expected[]][] = [
  [{ user: undefined }, broken('user', /no user: root without/, /user: "999:1000"/)],
  [{ user: '0:0' }, broken('user', /user 0:0, and the secrets and keys belong to 999:1000/)],
  [{ cap_drop: undefined }, broken('capabilities', /not all capabilities/, /cap_drop: \[ALL\]/)],
  [{ cap_drop: ['NET_RAW'] }, broken('capabilities', /not all capabilities/)],
  [{ cap_drop: ['all'] }, []],
  [{ cap_add: ['SYS_ADMIN'] }, broken('capabilities', /gets SYS_ADMIN/)],
  [{ security_opt: undefined }, broken('no-new-privileges', /setuid/)],
  [{ security_opt: ['no-new-privileges=true'] }, []],
  [
    { security_opt: ['no-new-privileges:true', 'seccomp:unconfined'] },
    broken('no-new-privileges', /seccomp:unconfined takes a guard/),
  ],
  [{ read_only: false }, broken('read_only', /can be written/, /read_only: true/)],
  [{ tmpfs: undefined }, otherwise('tmpfs', /nothing at \/tmp/)],
  [{ tmpfs: '/tmp:mode=1777,size=10240k' }, []],
  [{ tmpfs: ['/tmp'] }, otherwise('tmpfs', /no size/)],
  [{ tmpfs: ['/tmp:size=1g'] }, otherwise('tmpfs', /1073741824 bytes/)],
  [
    (file, service) => {
      service['tmpfs'] = undefined
      volumes(file).push({ type: 'tmpfs', target: '/tmp', tmpfs: { size: 10_485_760 } })
    },
    [],
  ],
  [{ privileged: true }, broken('privileges', /is privileged/)],
  [{ pid: 'host' }, broken('privileges', /pid: host/)],
  [{ devices: ['/dev/kmsg'] }, broken('privileges', /devices/)],
  [{ ports: ['6379:6379'] }, broken('ports', /published/)],
  [{ ports: [] }, []],
  [{ expose: ['6379'] }, otherwise('keys', /services\.valkey\.expose/)],
  [{ networks: undefined, network_mode: 'host' }, broken('network', /network_mode host/)],
  [{ networks: undefined }, broken('network', /not in the network gateway-bridge/)],
  [{ networks: ['gateway-bridge', 'web'] }, broken('network', /in web as well/)],
  [{ networks: { 'gateway-bridge': {} } }, []],
  [{ networks: { 'gateway-bridge': { aliases: ['cache'] } } }, otherwise('keys', /networks\.gateway-bridge\.aliases/)],
  [
    (file) => delete file.networks['gateway-bridge']?.['internal'],
    broken('network', /reaches the world/, /^Under networks\.gateway-bridge: internal: true$/),
  ],
  [
    (file) => Object.assign(file.networks, { 'gateway-bridge': { external: true } }),
    [['warn', 'compose network', /made elsewhere/, /^In stack\.yaml: service\.network_external: true/]],
  ],
  [(file) => Object.assign(file.networks, { 'gateway-bridge': { internal: 'true' } }), []],
  [
    (file) => Object.assign(file.networks, { 'gateway-bridge': { name: 'other', internal: true } }),
    [...broken('network', /not in the network gateway-bridge/), ...broken('network', /in gateway-bridge as well/)],
  ],
  [
    (file, service) => {
      file.networks = { inner: { name: 'gateway-bridge', internal: true } }
      service['networks'] = ['inner']
    },
    [],
  ],
  [
    { environment: { VALKEY_HOST: 'valkey', VALKEY_USER: 'healthcheck', REDISCLI_AUTH: 'hunter2' } },
    broken('environment', /REDISCLI_AUTH looks like a password/),
  ],
  [
    { environment: ['VALKEY_HOST=valkey', 'VALKEY_USER=healthcheck', 'TZ=UTC', 'COMPASS=north'] },
    [...otherwise('environment', /TZ is nothing of the stack/), ...otherwise('environment', /COMPASS/)],
  ],
  [
    {
      environment: [
        'VALKEY_HOST=valkey',
        'VALKEY_USER=healthcheck',
        'VALKEY_PASSWORD_FILE=/run/secrets/valkey_password',
      ],
    },
    [],
  ],
  [{ environment: ['VALKEY_HOST=valkey'] }, broken('environment', /VALKEY_USER is not healthcheck/)],
]

const long = (target: string) => (file: File) =>
  volumes(file).find((entry): entry is Service => typeof entry === 'object' && entry['target'] === target) ??
  assert.fail(target)
const conf = long('/etc/valkey/valkey.conf')
const withoutMount = (file: File, target: string) => {
  const list = volumes(file)
  list.splice(
    list.findIndex((entry) => typeof entry === 'object' && entry['target'] === target),
    1,
  )
}

const mounted: [Change, Expected[]][] = [
  [
    // Every mount in its short form.
    (file) => {
      for (const [i, entry] of volumes(file).entries())
        if (typeof entry === 'object') volumes(file)[i] = `${entry['source']}:${entry['target']}:ro`
    },
    [],
  ],
  [(file) => void (conf(file)['source'] = '/stack/config/valkey.conf'), []],
  [(file) => void (conf(file)['read_only'] = false), broken('mounts', /may write \.\.\/config\/valkey\.conf/)],
  [
    (file) => void (conf(file)['source'] = '../other.conf'),
    broken('mounts', /\.\.\/other\.conf is mounted at \/etc\/valkey\/valkey\.conf instead of/),
  ],
  [
    (file) => withoutMount(file, '/etc/valkey/tls/server.crt'),
    broken('mounts', /no file is mounted at \/etc\/valkey\/tls\/server\.crt/),
  ],
  [{ secrets: ['valkey_acl'] }, broken('mounts', /no secret is mounted at \/run\/secrets\/valkey_password/)],
  [
    {
      secrets: [
        { source: 'valkey_acl' },
        { source: 'valkey_password', target: '/run/secrets/valkey_password', mode: 288 },
      ],
    },
    [],
  ],
  [
    (file) => void (file.secrets['valkey_acl'] = { environment: 'ACL' }),
    broken('mounts', /at \/run\/secrets\/valkey_acl is no file/),
  ],
  [
    (file) => void (file.secrets['valkey_acl'] = { file: './secrets/other.acl' }),
    broken('mounts', /other\.acl is mounted/),
  ],
  [mount('../certs/valkey/ca.key', '/ca.key'), broken('host', /brings ca\.key/)],
  [mount('../certs/valkey', '/certs'), broken('host', /\.\.\/certs\/valkey brings ca\.key/)],
  [mount('/stack', '/all'), broken('host', /\/stack brings ca\.key/)],
  [mount('./secrets', '/s'), broken('host', /the password of every user/)],
  [mount('/var/run/docker.sock', '/var/run/docker.sock'), broken('host', /docker’s socket/)],
  [mount('/run', '/r'), broken('host', /docker’s socket/)],
  [mount('/home/me/docker.sock', '/d.sock'), broken('host', /docker’s socket/)],
  [mount('./motd', '/etc/motd'), otherwise('host', /\.\/motd at \/etc\/motd is no part of the stack/)],
  [(file) => void volumes(file).splice(-1, 1), broken('data', /no named volume at \/data/)],
  [(file) => void volumes(file).splice(-1, 1, '/data'), broken('data', /no named volume/)],
  [(file) => void volumes(file).splice(-1, 1, 'valkey-data:/data:ro'), broken('data', /may not write/)],
  [(file) => void volumes(file).splice(-1, 1, { type: 'volume', source: 'valkey-data', target: '/data/' }), []],
  [(file) => void volumes(file).splice(-1, 1, './data:/data'), otherwise('data', /\.\/data of the host is \/data/)],
  [
    (file, service) => {
      volumes(file).splice(-1, 1)
      service['tmpfs'] = ['/tmp:size=10M', '/data']
    },
    broken('data', /in memory/),
  ],
  [(file) => void (file.volumes['valkey-data'] = {}), broken('data', /named after the project, not molis-valkey-data/)],
  [(file) => void (file.volumes['valkey-data'] = { name: 'other' }), broken('data', /the volume other, not molis/)],
]

const run: [Change, Expected[]][] = [
  [{ image: 'valkey/valkey' }, otherwise('image', /no version in its tag/)],
  [{ image: 'valkey/valkey:9-alpine' }, otherwise('image', /newer than engine 8\.0/)],
  [
    { image: 'r.example:5000/valkey:8.1' },
    otherwise('image', /the image is r\.example:5000\/valkey:8\.1, and stack\.yaml says/),
  ],
  [{ image: undefined }, broken('image', /no image/)],
  [{ command: 'valkey-server /etc/valkey/valkey.conf' }, []],
  [{ entrypoint: ['docker-entrypoint.sh'] }, []],
  [{ entrypoint: ['/data/docker-entrypoint.sh'] }, broken('command', /does not start the server on/)],
  [{ entrypoint: '/data/valkey-server', command: ['/etc/valkey/valkey.conf'] }, broken('command', /does not start/)],
  [{ entrypoint: 'valkey-server', command: ['/etc/valkey/valkey.conf'] }, []],
  [{ command: undefined }, broken('command', /open to everybody/)],
  [{ command: ['sh', '-c', 'valkey-server /etc/valkey/valkey.conf'] }, broken('command', /a shell is process 1/)],
  [{ entrypoint: '/bin/sh -c' }, broken('command', /a shell is process 1/)],
  [{ command: ['valkey-server'] }, broken('command', /does not start the server on/)],
  [
    { command: 'valkey-server /etc/valkey/valkey.conf --requirepass hunter2' },
    broken('command', /arguments behind the file/),
  ],
  [{ healthcheck: undefined }, broken('health check', /none:/)],
  [{ healthcheck: { disable: true } }, broken('health check', /none:/)],
  [
    { healthcheck: { test: ['CMD', 'valkey-cli', '-a', 'hunter2', 'ping'] } },
    broken('health check', /holds a password/),
  ],
  [{ healthcheck: { test: 'REDISCLI_AUTH=hunter2 valkey-cli ping' } }, broken('health check', /holds a password/)],
  [
    { healthcheck: { test: 'valkey-cli --pass "$$(cat /run/secrets/valkey_password)" ping' } },
    broken('health check', /holds a password/),
  ],
  [{ healthcheck: { test: ['CMD', 'valkey-cli', 'ping'] } }, otherwise('health check', /does not run/)],
  [
    { healthcheck: { test: '/usr/local/bin/valkey-health', interval: '5000ms', retries: '3', start_period: '0m30s' } },
    otherwise('keys', /healthcheck is not timeout: 10s$/),
  ],
  [
    { environment: { VALKEY_HOST: 'valkey', VALKEY_USER: 'healthcheck', VALKEY_PORT: '' } },
    broken('health check', /never be well: VALKEY_PORT must be/),
  ],
  [
    { deploy: undefined },
    [
      ...broken('limits', /no memory limit/),
      ...broken('limits', /no CPU limit/),
      ...broken('limits', /no limit of processes/),
    ],
  ],
  [{ deploy: undefined, pids_limit: 128, mem_limit: '512m', mem_reservation: '256m', cpus: 1 }, []],
  [{ deploy: undefined, pids_limit: 128, mem_limit: 536_870_912, mem_reservation: '0.25g', cpus: '1' }, []],
  [
    { deploy: undefined, pids_limit: 128, mem_limit: '1g', mem_reservation: '256m', cpus: 1 },
    otherwise('limits', /memory limit is not stack\.yaml’s 512 MB/),
  ],
  [{ deploy: undefined, pids_limit: 128, mem_limit: '256m', cpus: 1 }, broken('limits', /not above maxmemory/)],
  [
    { deploy: undefined, pids_limit: 128, mem_limit: '512m', mem_reservation: '256m', cpus: 2 },
    otherwise('limits', /CPU limit is 2/),
  ],
  [{ deploy: undefined, pids_limit: 128, mem_limit: '512m', cpus: 1 }, otherwise('limits', /reservation/)],
  [{ logging: undefined }, otherwise('logging', /driver is not json-file/)],
  [{ logging: { driver: 'json-file' } }, otherwise('logging', /fills the disk/)],
  [{ logging: { driver: 'json-file', options: { 'max-size': '50m', 'max-file': 5 } } }, []],
  [
    { logging: { driver: 'json-file', options: { 'max-size': '1m', 'max-file': 5 } } },
    otherwise('logging', /not 50m × 5/),
  ],
  [{ restart: undefined }, broken('restart', /stays away/)],
  [{ restart: 'no' }, broken('restart', /stays away/)],
  [{ restart: 'always' }, []],
  [{ restart: 'on-failure:3' }, otherwise('restart', /after a restart of the machine/)],
  [{ stop_grace_period: undefined }, []],
  [{ stop_grace_period: '1m0s' }, []],
  [{ stop_grace_period: '1s500ms' }, otherwise('stop', /after 1\.5 s docker kills it/)],
  [{ stop_signal: 'SIGKILL' }, broken('stop', /ended by SIGKILL/)],
  [{ stop_signal: 'SIGINT' }, []],
  [{ hostname: undefined }, otherwise('names', /hostname is not valkey/)],
  [{ container_name: 'x' }, otherwise('names', /not called polis-v2-valkey/)],
  [{ labels: ['service=molis-valkey'] }, []],
  [{ labels: ['service=molis-valkey', 'team=a'] }, otherwise('keys', /labels team/)],
  [{ labels: undefined }, otherwise('names', /the label service/)],
  [{ extends: { service: 'base' } }, broken('variables', /^\S+: extends depends on/)],
  [{ env_file: '.env' }, broken('variables', /env_file/)],
  [{ image: '${IMAGE:-valkey/valkey:8-alpine}' }, []],
  [
    { annotations: { owner: '$OWNER' } },
    [...otherwise('variables', /annotations/), ...otherwise('keys', /annotations/)],
  ],
]

test('a file as it is written is well, and each line that is missing or otherwise is one finding', () => {
  assertFindings(judge(written()), [], 'as written')
  for (const [change, expected] of [...confined, ...mounted, ...run]) {
    const findings = judge(changed(change))
    assertFindings(findings, expected, typeof change === 'function' ? String(change) : JSON.stringify(change))
    assert.doesNotMatch(JSON.stringify(findings), /hunter2/)
  }
})

test('each hardening line has a finding of its own', () => {
  const checks = judge(written()).map(({ check }) => check)
  assert.equal(new Set(checks).size, checks.length)
  assert.equal(checks.length, 21)
})

test('no file to judge, a file that is none, a file without the service', () => {
  const facts = { wanted: stackCompose(spec, paths), absolute, places: { certs: '/c', secrets: '/s' } }
  assert.deepEqual(judgeCompose(spec, { ...facts, file: 'absent' }, names), [])
  assertFindings(
    judgeCompose(spec, { ...facts, file: { error: 'bad indent' } }, names),
    broken('file', /is not YAML: bad indent/),
    'YAML',
  )
  for (const data of [null, [], 'text', {}, { services: [] }])
    assertFindings(judge(data), broken('file', /has no service valkey/), JSON.stringify(data))
})

test('beside other services only ours is written anew', () => {
  const file = written()
  file.services['web'] = { image: 'web' }
  Object.assign(file.services['valkey'] ?? {}, { read_only: false })
  assertFindings(
    judge(file),
    broken('read_only', /./, /valkeep stack compose --into deploy\/docker-compose\.yml --force$/),
    'ours',
  )
  delete file.services['valkey']
  assertFindings(
    judge(file),
    broken('file', /no service valkey/, /^valkeep stack compose --into deploy\/docker-compose\.yml$/),
    'none',
  )
})

test('another user is handed the volume', () => {
  const of = defaultSpec({ user: '1234:1234' })
  const cases: [(file: File) => void, Expected[]][] = [
    [() => {}, []],
    [
      (file) => delete file.services['valkey-volume'],
      broken('hand-over', /no service valkey-volume: user 1234:1234 could not write \/data/),
    ],
    [(file) => delete file.services['valkey']?.['depends_on'], broken('hand-over', /does not wait for valkey-volume/)],
    [
      (file) => Object.assign(file.services['valkey'] ?? {}, { depends_on: ['valkey-volume'] }),
      broken('hand-over', /does not wait/),
    ],
    [
      (file) => Object.assign(file.services['valkey-volume'] ?? {}, { entrypoint: ['chown', '-R', '0:0', '/data'] }),
      broken('hand-over', /does not hand the volume/),
    ],
    [
      (file) => Object.assign(file.services['valkey-volume'] ?? {}, { cap_add: ['CHOWN', 'SYS_ADMIN'] }),
      broken('hand-over', /as root, with more than/),
    ],
    [
      (file) => Object.assign(file.services['valkey-volume'] ?? {}, { volumes: ['valkey-data:/data', '/etc:/etc'] }),
      broken('hand-over', /as root, with more than/),
    ],
  ]
  for (const [change, expected] of cases) {
    const file = written(of)
    change(file)
    assertFindings(judge(file, of), expected, String(change))
  }
  const other = written()
  assert.deepEqual(bad(judge(other)), [])
})

test('a network of somebody else’s that this file makes after all is their choice', () => {
  const of = { ...spec, service: { ...spec.service, network_external: true } }
  const file = written(of)
  assertFindings(judge(file, of), [], 'external')
  file.networks['gateway-bridge'] = { name: 'gateway-bridge' }
  assertFindings(judge(file, of), otherwise('network', /not internal/), 'made here')
})

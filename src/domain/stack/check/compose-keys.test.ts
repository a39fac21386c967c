import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertFindings, type Expected } from '../../../../test/support/stack-check.ts'
import {
  broken,
  type Change,
  changed,
  type File,
  judge,
  otherwise,
  type Service,
  spec,
  volumes,
} from '../../../../test/support/stack-check-compose.ts'
import { defaultSpec } from '../default-spec.ts'

const well: Expected[] = []

/** What is nothing of a stack and could do harm. */
const foreign: Service = {
  post_start: [{ command: ['sh'], user: 'root' }],
  pre_stop: [{ command: ['sh'] }],
  volumes_from: ['container:x'],
  group_add: ['docker'],
  sysctls: { 'net.core.somaxconn': 1 },
  cgroup_parent: '/other',
  oom_kill_disable: true,
  oom_score_adj: -1000,
  extra_hosts: ['valkey:10.0.0.1'],
  dns: '10.0.0.1',
  links: ['web'],
  profiles: ['never'],
  scale: 0,
  runtime: 'other',
  working_dir: '/tmp',
  build: '.',
  use_api_socket: true,
  credential_spec: { file: 'x' },
  storage_opt: { size: '1G' },
  shm_size: '1g',
  anything: 'hunter2',
}

const harmless: Service = {
  'x-note': 'hunter2',
  annotations: { a: 'b' },
  depends_on: { web: { condition: 'service_started' } },
  init: true,
  ulimits: { nofile: 65_536 },
  pull_policy: 'always',
  stdin_open: true,
}

test('each key that stack.yaml does not make is one finding, and its value is not shown', () => {
  for (const [key, value] of Object.entries(foreign)) {
    const findings = judge(changed({ [key]: value }))
    assertFindings(findings, broken('keys', new RegExp(`services\\.valkey\\.${key} `), new RegExp(`no ${key}\\.`)), key)
    assert.doesNotMatch(JSON.stringify(findings), /hunter2/)
  }
  for (const [key, value] of Object.entries(harmless))
    assertFindings(judge(changed({ [key]: value })), otherwise('keys', new RegExp(key)), key)
  const nothing = { privileged: false, init: 'false', dns: [], sysctls: {}, post_start: null, scale: 1, profiles: [] }
  assertFindings(judge(changed(nothing)), well, 'no more than their absence')
})

const within = (path: string[], more: Service) => (file: File) => {
  let at = file as unknown as Service
  for (const step of path) at = (at[step] ??= {}) as Service
  Object.assign(at, more)
}
const deploy = (more: Service, ...path: string[]) => within(['services', 'valkey', 'deploy', ...path], more)

const nested: [Change, Expected[]][] = [
  [deploy({ replicas: 0 }), broken('keys', /valkey\.deploy\.replicas changes how many/)],
  [deploy({ replicas: 1, mode: 'replicated' }), well],
  [deploy({ mode: 'global' }), broken('keys', /deploy\.mode/)],
  [deploy({ restart_policy: { condition: 'none' } }), broken('keys', /deploy\.restart_policy goes before restart/)],
  [deploy({ labels: { a: 'b' } }), otherwise('keys', /deploy\.labels/)],
  [
    deploy({ devices: [{ capabilities: ['gpu'] }] }, 'resources', 'reservations'),
    broken('keys', /deploy\.resources\.reservations\.devices/),
  ],
  [deploy({ pids: 4000 }, 'resources', 'limits'), otherwise('limits', /processes is not 128/)],
  [{ memswap_limit: -1 }, broken('limits', /swap of the host/, /memswap_limit: 512M/)],
  [{ memswap_limit: '0.5g' }, well],
  [within(['services', 'valkey', 'healthcheck'], { interval: '24h' }), otherwise('keys', /not interval: 5s/)],
  [within(['services', 'valkey', 'healthcheck'], { start_interval: '1s' }), otherwise('keys', /start_interval/)],
  [within(['services', 'valkey', 'healthcheck'], { disable: 'yes' }), broken('health check', /none:/)],
  [within(['services', 'valkey', 'logging', 'options'], { tag: 'x' }), otherwise('keys', /logging\.options tag/)],
  [
    within(['volumes', 'valkey-data'], { driver_opts: { type: 'none', o: 'bind', device: '/etc' } }),
    broken(
      'keys',
      /volumes\.valkey-data\.driver_opts may be any directory/,
      /^Under volumes\.valkey-data: no driver_opts/,
    ),
  ],
  [within(['volumes', 'valkey-data'], { driver: 'local' }), well],
  [within(['volumes', 'valkey-data'], { driver: 'other' }), broken('keys', /volumes\.valkey-data\.driver /)],
  [within(['volumes', 'valkey-data'], { external: true }), otherwise('keys', /volumes\.valkey-data\.external/)],
  [within(['networks', 'gateway-bridge'], { driver: 'macvlan' }), broken('keys', /networks\.gateway-bridge\.driver /)],
  [within(['networks', 'gateway-bridge'], { driver: 'bridge', labels: {} }), well],
  [within(['networks', 'gateway-bridge'], { driver_opts: { a: 'b' } }), broken('keys', /gateway-bridge\.driver_opts/)],
  [within(['networks', 'gateway-bridge'], { ipam: { config: [] } }), otherwise('keys', /gateway-bridge\.ipam/)],
  [
    { networks: { 'gateway-bridge': { driver_opts: { 'com.docker.network.endpoint.sysctls': 'x' } } } },
    broken('keys', /services\.valkey\.networks\.gateway-bridge\.driver_opts/),
  ],
  [within(['secrets', 'valkey_acl'], { template_driver: 'x' }), broken('keys', /secrets\.valkey_acl\.template_driver/)],
]

const env = (more: Service): Change => within(['services', 'valkey', 'environment'], more)
const volume =
  (entry: string | Service, definition?: Service): Change =>
  (file) => {
    volumes(file).push(entry)
    if (definition !== undefined) file.volumes['other'] = definition
  }

const others: [Change, Expected[]][] = [
  [{ privileged: 'true' }, broken('privileges', /is privileged/)],
  [{ privileged: 'yes' }, broken('privileges', /is privileged/)],
  [{ privileged: '${P}' }, [...otherwise('variables', /privileged/), ...broken('privileges', /is privileged/)]],
  [{ pid: 'container:x' }, broken('privileges', /pid: container:x shares it with others/)],
  [{ ipc: 'shareable' }, broken('privileges', /ipc: shareable shares it/)],
  [{ ipc: 'private', cgroup: 'private' }, well],
  [{ uts: 'host' }, broken('privileges', /uts: host shares it with the host/)],
  [{ userns_mode: 'host' }, broken('privileges', /userns_mode/)],
  [{ gpus: 'all' }, broken('privileges', /gpus/)],
  [{ device_cgroup_rules: ['c 1:3 rwm'] }, broken('privileges', /device_cgroup_rules/)],
  [{ read_only: 'true' }, well],
  [
    { security_opt: ['no-new-privileges:true', 'apparmor=unconfined'] },
    broken('no-new-privileges', /apparmor:unconfined/),
  ],
  [
    { security_opt: ['no-new-privileges:true', 'seccomp=./all.json', 'no-new-privileges:false'] },
    broken('no-new-privileges', /seccomp:\.\/all\.json, no-new-privileges:false/),
  ],
  [{ tmpfs: ['/tmp:size=10M,mode=1777,exec'] }, broken('tmpfs', /is exec/)],
  [{ tmpfs: ['/tmp:size=10M,mode=1777,uid=5'] }, otherwise('tmpfs', /has uid=5/)],
  [
    env({ VALKEY_EXTRA_FLAGS: '--port 6380 --bind 0.0.0.0' }),
    broken('environment', /VALKEY_EXTRA_FLAGS changes what runs/),
  ],
  [env({ LD_PRELOAD: '/data/x.so' }), broken('environment', /LD_PRELOAD/)],
  [env({ VALKEY_PORT: '6380' }), broken('environment', /VALKEY_PORT: the health check would ask elsewhere/)],
  [env({ VALKEY_PORT: 6379 }), well],
  [env({ MEMORY_WARN_PERCENT: 90 }), otherwise('environment', /MEMORY_WARN_PERCENT is not 80/)],
  [volume('other:/more', { name: 'other' }), otherwise('host', /other at \/more is no part/)],
  [volume('other:/more', { driver_opts: { device: '/etc' } }), broken('host', /may be any directory of the host/)],
  [volume('other:/usr/local/bin', {}), broken('host', /takes the place of what the container runs/)],
  [volume('other:/etc', {}), broken('host', /takes the place/)],
  [volume('/more'), otherwise('host', /a volume at \/more/)],
  [volume('/etc:/hostetc:ro'), broken('host', /shows the host/)],
  [volume('/etc/localtime:/etc/localtime:ro'), otherwise('host', /no part/)],
  [volume('./more:/more'), broken('host', /may write \.\/more/)],
  [volume('./more:/more:ro,rshared'), broken('host', /any directory/)],
  [volume('./x.sh:/usr/../usr/local/bin/docker-entrypoint.sh:ro'), broken('host', /takes the place/)],
  [volume({ type: 'cluster', source: 'x', target: '/more' }), broken('host', /any directory/)],
  [
    (file, service) => {
      service['configs'] = [{ source: 'x', target: '/usr/local/bin/docker-entrypoint.sh' }]
      Object.assign(file, { configs: { x: { content: 'hunter2' } } })
    },
    broken('host', /takes the place/),
  ],
  [
    (file) => void volumes(file).splice(-1, 1, 'valkey-data:/data:nocopy'),
    broken('host', /the mount at \/data has nocopy/),
  ],
  [(file) => void volumes(file).splice(-1, 1, 'valkey-data:/data:z'), otherwise('host', /has z as well/)],
  [
    (file) =>
      void volumes(file).splice(-1, 1, {
        type: 'volume',
        source: 'valkey-data',
        target: '/data',
        volume: { subpath: 'x' },
      }),
    broken('host', /volume\.subpath/),
  ],
]

test('below the service, beside it and in its lists nothing is given away unseen', () => {
  for (const [change, expected] of [...nested, ...others]) {
    const findings = judge(changed(change))
    assertFindings(findings, expected, JSON.stringify(changed(change)))
    assert.doesNotMatch(JSON.stringify(findings), /hunter2/)
  }
})

test('the network of a shared file is nobody’s to write anew', () => {
  const file = changed(within(['networks', 'gateway-bridge'], { driver_opts: { a: 'b' } }))
  file.services['web'] = { image: 'web' }
  assertFindings(
    judge(file),
    broken('keys', /driver_opts/, /^Under networks\.gateway-bridge: no driver_opts\.$/),
    'shared',
  )
})

test('the service that hands the volume over may do nothing else', () => {
  const of = defaultSpec({ user: '1234:1234' })
  const root = /as root, with more than/
  const cases: [Service, Expected[]][] = [
    [{ privileged: 'on' }, broken('hand-over', root)],
    [{ image: 'other' }, broken('hand-over', root)],
    [{ security_opt: ['seccomp=unconfined'] }, broken('hand-over', root)],
    [{ read_only: false }, broken('hand-over', root)],
    [{ restart: 'always' }, broken('hand-over', root)],
    [{ configs: ['x'] }, broken('hand-over', root)],
    [{ user: '5:5' }, broken('hand-over', /does not hand the volume/)],
    [{ volumes: ['valkey-data:/data:ro'] }, broken('hand-over', /does not hand the volume/)],
    [{ post_start: [{ command: 'sh' }] }, broken('keys', /services\.valkey-volume\.post_start/)],
    [{ pid: 'host' }, broken('keys', /services\.valkey-volume\.pid/)],
    [{ environment: { A: 'b' } }, broken('keys', /services\.valkey-volume\.environment/)],
    [{ labels: { a: 'b' } }, otherwise('keys', /services\.valkey-volume\.labels/)],
  ]
  for (const [change, expected] of cases) {
    const file = changed(within(['services', 'valkey-volume'], change), of)
    assertFindings(judge(file, of), expected, JSON.stringify(change))
  }
})

test('one that is left over from another user would take the volume away', () => {
  const entry = {
    image: spec.service.image,
    entrypoint: ['chown', '-R', '5:5', '/data'],
    volumes: ['valkey-data:/data'],
  }
  assertFindings(
    judge(changed(within(['services', 'valkey-volume'], entry))),
    broken('hand-over', /valkey-volume has the volume too/, /the service valkey-volume taken out/),
    'left over',
  )
})

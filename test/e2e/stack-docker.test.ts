/** The stack in a real container by a real Docker daemon and Docker Compose. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test, type TestContext } from 'node:test'
import { parse } from 'yaml'
import { type Dockerd, requireDocker, startDockerd } from '../support/dockerd.ts'
import { CONTAINER, makeDockerStack } from '../support/stack-docker.ts'
import { until } from '../support/until.ts'

const AGENT = 'VALKEY_MCP_AGENT_PASS'
const key = 'molis:blocked:1'

describe('a stack under Docker', { timeout: 280_000 }, () => {
  let started: Promise<Dockerd> | undefined
  /** The one engine of these tests; undefined where there can be none, and the test is skipped. */
  const engineFor = async (t: TestContext): Promise<Dockerd | undefined> => {
    if (!requireDocker(t)) return undefined
    started ??= startDockerd().then(async (engine) => {
      await engine.importValkeyImage()
      return engine
    })
    return started
  }
  after(async () => (await started)?.stop())

  test('comes up healthy within 30 s, hardened line by line', async (t) => {
    const engine = await engineFor(t)
    if (engine === undefined) return
    const stack = await makeDockerStack(t, engine)
    await stack.compose('up', '-d', '--wait', '--wait-timeout', '30')
    const { Config, HostConfig, Mounts, NetworkSettings, State } = await stack.inspect()
    assert.equal(State.Health.Status, 'healthy')

    assert.equal(Config.User, '999:1000')
    assert.deepEqual(HostConfig.CapDrop, ['ALL'])
    assert.equal(HostConfig.CapAdd, null)
    assert.deepEqual(HostConfig.SecurityOpt, ['no-new-privileges:true'])
    assert.equal(HostConfig.ReadonlyRootfs, true)
    assert.equal(HostConfig.Privileged, false)
    assert.deepEqual(HostConfig.Tmpfs, { '/tmp': 'size=10M,mode=1777' })
    assert.equal(HostConfig.Memory, 512 * 2 ** 20)
    assert.equal(HostConfig.MemoryReservation, 256 * 2 ** 20)
    assert.equal(HostConfig.NanoCpus, 1e9)
    assert.deepEqual(HostConfig.LogConfig, { Type: 'json-file', Config: { 'max-size': '50m', 'max-file': '5' } })
    assert.equal(HostConfig.RestartPolicy.Name, 'unless-stopped')
    assert.deepEqual(HostConfig.PortBindings ?? {}, {})
    assert.deepEqual(Object.keys(NetworkSettings.Networks), ['gateway-bridge'])
    assert.equal(Config.Labels['service'], 'molis-valkey')
    assert.deepEqual(Config.Cmd, ['valkey-server', '/etc/valkey/valkey.conf'])
    const network = JSON.parse(await engine.docker('network', 'inspect', 'gateway-bridge')) as [{ Internal: boolean }]
    assert.equal(network[0].Internal, true)

    const places = Mounts.map(({ Destination }) => Destination).sort()
    const tls = ['ca.crt', 'client.crt', 'client.key', 'server.crt', 'server.key'].map(
      (name) => `/etc/valkey/tls/${name}`,
    )
    const secrets = ['/run/secrets/valkey_acl', '/run/secrets/valkey_password']
    assert.deepEqual(
      places,
      ['/data', ...tls, '/etc/valkey/valkey.conf', ...secrets, '/usr/local/bin/valkey-health'].sort(),
    )
    assert.deepEqual(
      Mounts.filter(({ RW }) => RW).map(({ Destination }) => Destination),
      ['/data'],
    )
    assert.equal(Mounts.find(({ Destination }) => Destination === '/data')?.Name, 'molis-valkey-data')
    assert.equal((await engine.docker('exec', CONTAINER, 'ls', '/etc/valkey/tls')).includes('ca.key'), false)
    await assert.rejects(engine.docker('exec', CONTAINER, 'touch', '/x'), /Read-only file system/)
    assert.match(await engine.docker('exec', CONTAINER, 'id'), /^uid=999\S* gid=1000/)

    // Nothing that anybody on the machine or of the daemon can read holds a password.
    const shown = `${await engine.docker('inspect', CONTAINER)}${await engine.docker('logs', CONTAINER)}`
    const passwords = readFileSync(join(stack.root, 'deploy/secrets/credentials.env.example'), 'utf8').matchAll(
      /=(.+)/g,
    )
    for (const [, password = ''] of passwords) assert.equal(shown.includes(password), false)

    const listening = await engine.docker('exec', CONTAINER, 'netstat', '-ltn')
    assert.match(listening, /:6379 /)
    assert.equal(
      listening.split('\n').filter((line) => line.includes('LISTEN') && !line.includes(':6379 ')).length <= 1,
      true,
      listening,
    )
    assert.match(await engine.docker('exec', CONTAINER, 'valkey-health'), /^OK: /)
    const done = stack.valkeep('stack', 'check')
    assert.equal(done.status, 0, done.stdout)
  })

  test('keeps its data over restart, down and up, crash and OOM, and stops with 0', async (t) => {
    const docker = await engineFor(t)
    if (docker === undefined) return
    const stack = await makeDockerStack(t, docker)
    await stack.compose('up', '-d', '--wait')
    const agent = (...command: string[]) => stack.as('mcp-agent', stack.password(AGENT), ...command)
    const healthy = () => until(async () => (await stack.inspect()).State.Health.Status === 'healthy', 'health', 60_000)
    assert.equal(await agent('SET', key, 'kept'), 'OK')

    await stack.compose('restart')
    await healthy()
    assert.equal(await agent('GET', key), 'kept')

    const startedAt = performance.now()
    await docker.docker('stop', CONTAINER)
    assert.ok(performance.now() - startedAt < 10_000)
    const stopped = await stack.inspect()
    assert.deepEqual([stopped.State.Status, stopped.State.ExitCode], ['exited', 0])
    await stack.compose('down')
    await stack.compose('up', '-d', '--wait')
    assert.equal(await agent('GET', key), 'kept')

    assert.equal(await agent('SET', key, 'crashed'), 'OK')
    await docker.killInside((await stack.inspect()).State.Pid)
    await until(async () => (await stack.inspect()).RestartCount === 1, 'the restart after a crash', 30_000)
    await healthy()
    assert.equal(await agent('GET', key), 'crashed')

    // The kernel ends it: its limit is taken below what it is about to hold.
    await docker.docker('update', '--memory', '24m', '--memory-swap', '24m', CONTAINER)
    const fill = "for i = 1, 600 do redis.call('SET', 'molis:blocked:' .. i, string.rep('x', 100000)) end"
    await stack.as('mcp-admin', stack.password('VALKEY_MCP_ADMIN_PASS'), 'EVAL', fill, '0').catch(() => undefined)
    await until(async () => (await stack.inspect()).RestartCount >= 2, 'the restart after an OOM kill', 30_000)
    await docker.docker('update', '--memory', '512m', '--memory-swap', '512m', CONTAINER)
    await until(
      async () => (await agent('GET', key).catch(() => '')) === 'crashed',
      'its data after an OOM kill',
      60_000,
    )
  })

  test('a connection that sends more than its share is closed, and the server lives', async (t) => {
    const docker = await engineFor(t)
    if (docker === undefined) return
    const stack = await makeDockerStack(t, docker)
    await stack.compose('up', '-d', '--wait')
    // One value of 300 MB, past maxmemory and near the container's limit.
    const script = `head -c 300000000 /dev/zero | REDISCLI_AUTH=$1 valkey-cli --tls --cacert /etc/valkey/tls/ca.crt \
      --cert /etc/valkey/tls/client.crt --key /etc/valkey/tls/client.key -h valkey --user mcp-agent -x SET ${key}`
    const sent = docker.docker(
      'run',
      '--rm',
      '--network',
      'gateway-bridge',
      '-v',
      `${stack.root}/certs/valkey:/etc/valkey/tls:ro`,
      'valkey/valkey:8-alpine',
      'sh',
      '-c',
      script,
      'sh',
      stack.password(AGENT),
    )
    assert.notEqual(await sent.catch(() => 'closed'), 'OK')
    const { RestartCount, State } = await stack.inspect()
    assert.deepEqual([RestartCount, State.Status, State.OOMKilled], [0, 'running', false])
    assert.match(await docker.docker('exec', CONTAINER, 'valkey-health'), /^OK: /)
  })

  test('rotation and renewal are applied by a restart whose outage is measured', async (t) => {
    const engine = await engineFor(t)
    if (engine === undefined) return
    const stack = await makeDockerStack(t, engine)
    await stack.compose('up', '-d', '--wait')
    const old = stack.password(AGENT)
    const told = stack.valkeep('stack', 'secrets', '--rotate', 'mcp-agent')
    assert.equal(told.status, 0)
    assert.match(told.stderr, /only by a restart .* docker compose -f deploy\/docker-compose\.yml restart valkey/)
    assert.equal(await stack.as('mcp-agent', old, 'PING'), 'PONG', 'until then the old one is valid')

    const rotated = stack.valkeep('stack', 'secrets', '--rotate', 'mcp-agent', '--keep-old', '--apply', '--json')
    assert.equal(rotated.status, 0, rotated.stderr)
    const { outage_ms: outageMs } = JSON.parse(rotated.stdout) as { outage_ms: number }
    assert.ok(outageMs > 0 && outageMs < 30_000, String(outageMs))
    t.diagnostic(`rotation: away for ${outageMs} ms at most`)
    assert.equal(await stack.as('mcp-agent', stack.password(AGENT), 'PING'), 'PONG')
    await assert.rejects(stack.as('mcp-agent', old, '-e', 'PING'), /WRONGPASS|AUTH failed|NOAUTH/)

    const served = () => readFileSync(join(stack.root, 'certs/valkey/server.crt'), 'utf8')
    const before = served()
    const renewed = stack.valkeep('stack', 'certs', '--renew', '--apply')
    assert.equal(renewed.status, 0, renewed.stderr)
    assert.match(renewed.stderr, /healthy again: no answer for \d+\.\d s at most/)
    assert.notEqual(served(), before)
    const shown = await engine.docker('exec', CONTAINER, 'cat', '/etc/valkey/tls/server.crt')
    assert.equal(shown.trim(), served().trim())

    const health = stack.valkeep('stack', 'secrets', '--rotate', 'healthcheck', '--apply')
    assert.equal(health.status, 0, health.stderr)
    assert.match(await engine.docker('exec', CONTAINER, 'valkey-health'), /^OK: /)
  })

  test('a change is applied to the container that runs, whichever project made it', async (t) => {
    const engine = await engineFor(t)
    if (engine === undefined) return
    const stack = await makeDockerStack(t, engine)
    const other = (...words: string[]) => engine.docker('compose', '-p', 'other', '-f', stack.file, ...words)
    await other('up', '-d', '--wait')
    try {
      const old = stack.password(AGENT)
      assert.equal(stack.valkeep('stack', 'secrets', '--rotate', 'mcp-agent', '--apply').status, 0)
      await assert.rejects(stack.as('mcp-agent', old, '-e', 'PING'), /WRONGPASS|AUTH failed|NOAUTH/)
      assert.equal(await stack.as('mcp-agent', stack.password(AGENT), 'PING'), 'PONG')
    } finally {
      await other('down', '--volumes')
    }
  })

  test('an ordinary user’s stack runs as that user, its volume handed over', async (t) => {
    const engine = await engineFor(t)
    if (engine === undefined) return
    const stack = await makeDockerStack(t, engine, {
      person: '1234:1235',
      init: ['--preset', 'hardened', '--per-user-files'],
    })
    await stack.compose('up', '-d', '--wait', '--wait-timeout', '30')
    assert.match(await engine.docker('exec', CONTAINER, 'id'), /^uid=1234 gid=1235/)
    assert.equal(await engine.docker('exec', CONTAINER, 'stat', '-c', '%u:%g', '/data'), '1234:1235')
    assert.equal(await stack.as('mcp-agent', stack.password(AGENT), 'SET', key, 'v'), 'OK')
    await stack.compose('restart')
    await until(
      async () => (await stack.as('mcp-agent', stack.password(AGENT), 'GET', key).catch(() => '')) === 'v',
      'its data',
      30_000,
    )
    const checked = stack.valkeep('stack', 'check')
    assert.equal(checked.status, 0, checked.stdout)
  })

  test('joins a compose file that is there, on a network that is there, and serves its neighbour by name', async (t) => {
    const docker = await engineFor(t)
    if (docker === undefined) return
    await docker.docker('network', 'create', '--internal', 'gateway-bridge')
    const before = `# ours\nservices:\n  # the agent\n  agent:\n    image: valkey/valkey:8-alpine # pinned\n    command: [sleep, "1000"]\n    networks: [gateway-bridge]\n    volumes: ["./certs/valkey:/tls:ro"]\n\nnetworks:\n  gateway-bridge: {external: true} # made by hand\n`
    const stack = await makeDockerStack(t, docker, {
      init: ['--into', 'docker-compose.yml', '--network-external'],
      prepare: (root) => writeFileSync(join(root, 'docker-compose.yml'), before),
    })
    // After the stack, which uses it.
    t.after(() => docker.docker('network', 'rm', 'gateway-bridge'))
    const merged = readFileSync(stack.file, 'utf8')
    // Each of their lines is there, in their order.
    const lines = merged.split('\n')
    let at = -1
    for (const line of before.split('\n')) assert.ok((at = lines.indexOf(line, at + 1)) !== -1, `lost: ${line}`)
    assert.ok('valkey' in (parse(merged) as { services: object }).services)
    await stack.compose('up', '-d', '--wait')
    const login = `REDISCLI_AUTH=$1 valkey-cli --tls --cacert /tls/ca.crt --cert /tls/client.crt --key /tls/client.key -h valkey --user log-writer ZADD molis:log:events 1 started`
    assert.equal(
      await stack.compose('exec', '-T', 'agent', 'sh', '-c', login, 'sh', stack.password('VALKEY_LOG_WRITER_PASS')),
      '1',
    )
    assert.equal(stack.valkeep('stack', 'init').status, 0, 'it can be repeated')
    assert.equal(readFileSync(stack.file, 'utf8'), merged)
    const checked = stack.valkeep('stack', 'check')
    assert.equal(checked.status, 0, checked.stdout)
  })

  test('a certificate that is missing keeps it from starting, and is said', async (t) => {
    const engine = await engineFor(t)
    if (engine === undefined) return
    const stack = await makeDockerStack(t, engine)
    rmSync(join(stack.root, 'certs/valkey/server.crt'))
    await assert.rejects(stack.compose('up', '-d', '--wait'), /server\.crt/)
    const checked = stack.valkeep('stack', 'check')
    assert.equal(checked.status, 1)
    assert.match(checked.stdout, /FAIL .*server\.crt/)
  })

  test('its image goes up from 8.0 to 9 with its data', async (t) => {
    const docker = await engineFor(t)
    if (docker === undefined) return
    await docker.importValkeyImage({ version: '9', tag: 'valkey/valkey:9-alpine' })
    const stack = await makeDockerStack(t, docker)
    await stack.compose('up', '-d', '--wait')
    const agent = (...command: string[]) => stack.as('mcp-agent', stack.password(AGENT), ...command)
    assert.equal(await agent('SET', key, 'kept'), 'OK')
    const spec = join(stack.root, 'stack.yaml')
    const raised = readFileSync(spec, 'utf8')
      .replace('valkey:8-alpine', 'valkey:9-alpine')
      .replace('engine: "8.0"', 'engine: "9.0"')
    writeFileSync(spec, raised)
    for (const part of [['compose', '--force'], ['conf', '--force'], ['secrets']]) {
      const written = stack.valkeep('stack', ...part)
      assert.equal(written.status, 0, written.stderr)
    }
    await stack.compose('up', '-d', '--wait')
    assert.match(await agent('INFO', 'server'), /valkey_version:9\./)
    assert.equal(await agent('GET', key), 'kept')
    assert.match(await agent('DELIFEQ', key, 'kept'), /NOPERM/)
  })
})

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const entry = fileURLToPath(new URL('cli.ts', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'valkeep-test-'))
after(() => rmSync(home, { recursive: true }))

/** Runs the program as a person would, with nothing but `env` from the outside. */
function valkeep(args: string[], env: Record<string, string> = {}, nodeArgs: string[] = []) {
  const { PATH = '' } = process.env
  const options = { encoding: 'utf8', env: { PATH, HOME: home, VALKEEP_HOME: home, ...env }, timeout: 60_000 } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeArgs, entry, ...args], options)
  return { status, stdout, stderr }
}

test('help and version', () => {
  const help = valkeep(['--help'])
  assert.equal(help.status, 0)
  for (const word of [
    'up',
    'down',
    'status',
    'doctor',
    'instance',
    'user',
    'operation',
    'tenant',
    'shard',
    'node',
    'key',
    'completion',
  ])
    assert.match(help.stdout, new RegExp(`^  ${word} `, 'm'))
  assert.match(valkeep(['--version']).stdout, /^\d+\.\d+\.\d+\n$/)
  assert.doesNotMatch(valkeep(['up', '--help']).stdout, /failpoint/)
})

test('the start-up path loads nothing heavy', () => {
  const hooks =
    "import{registerHooks}from'node:module';registerHooks({load(u,c,n){process._rawDebug(u);return n(u,c)}})"
  const { status, stderr } = valkeep(['--help'], {}, ['--import', `data:text/javascript,${encodeURIComponent(hooks)}`])
  assert.equal(status, 0)
  const loaded = stderr.split('\n').flatMap((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? [])
  assert.deepEqual([...new Set(loaded)], ['@stricli/core'])
})

test('a wrong command line ends with 2 and says what is near', () => {
  const wrong = valkeep(['instance', 'creat', 'x'])
  assert.deepEqual([wrong.status, wrong.stdout], [2, ''])
  assert.match(wrong.stderr, /did you mean `create`/)
  for (const args of [
    ['nonsense'],
    ['constructor'],
    ['instance', 'create'],
    ['instance', 'create', 'x', '--memory-mb', '1.5'],
    ['instance', 'create', 'x', '--memory-mb', 'many'],
    ['instance', 'list', '--nonsense'],
    ['instance', 'list', '--api', 'http://valkeep.example'],
    ['instance', 'list', '--api', 'https://valkeep.example'],
    ['completion', 'csh'],
  ])
    assert.equal(valkeep(args).status, 2, args.join(' '))
})

test('without a platform it ends with 3 and says how to start one, to people and to programs', () => {
  const { status, stdout, stderr } = valkeep(['instance', 'list'])
  assert.deepEqual([status, stdout], [3, ''])
  assert.match(stderr, /No platform runs on .*\nNext: .*valkeep up/)
  const json = valkeep(['instance', 'list', '--json'])
  assert.deepEqual([json.status, json.stdout], [3, ''])
  const said = JSON.parse(json.stderr) as Record<string, unknown>
  assert.deepEqual(Object.keys(said), ['error', 'reasons', 'next', 'exit_code'])
  assert.match(String(said.error), /^No platform runs on /)
  assert.equal(said.exit_code, 3)
})

test('what cannot be read ends with how it is right, flags as they are typed', () => {
  const wrong = (...args: string[]) => {
    const { status, stderr } = valkeep(args)
    assert.equal(status, 2)
    return stderr
  }
  assert.equal(
    wrong('instance', 'create', 'x', '--memorymb', '3'),
    'Error: There is no flag --memorymb; did you mean --memory-mb?\n' +
      '  usage: valkeep instance create <NAME>\nNext: valkeep instance create --help\n',
  )
  assert.match(wrong('instance', 'create', 'x', '--memory-mb', 'q'), /^Error: --memory-mb "q": not a whole number$/m)
  assert.match(wrong('instance', 'create'), /^Error: NAME is missing$/m)
  assert.match(wrong('tenant', 'crate'), /^Next: valkeep tenant --help$/m)
  assert.match(wrong('nonsense'), /^Next: valkeep --help$/m)
  const json = JSON.parse(wrong('instance', 'get', 'x', 'y', '--json')) as Record<string, unknown>
  assert.deepEqual([json.next, json.exit_code], ['valkeep instance get --help', 2])
})

test('help and version are commands too', () => {
  assert.equal(valkeep(['help', 'user', 'create']).stdout, valkeep(['user', 'create', '--help']).stdout)
  assert.equal(valkeep(['help']).stdout, valkeep(['--help']).stdout)
  assert.equal(valkeep(['version']).stdout, valkeep(['--version']).stdout)
})

test('a command is printed as the program was called', () => {
  const { stderr } = valkeep(['instance', 'list'], { VALKEEP_COMMAND: './valkeep' })
  assert.match(stderr, /Next: Start it with \.\/valkeep up/)
  assert.match(valkeep(['down', '--help'], { VALKEEP_COMMAND: './valkeep' }).stdout, /^ {2}\.\/valkeep down$/m)
  assert.match(valkeep(['instance', 'list'], { VALKEEP_COMMAND: 'a; b' }).stderr, /with valkeep up/)
})

test('a key is not sent to whoever listens where a platform was', () => {
  writeFileSync(
    join(home, 'platform.json'),
    JSON.stringify({ pid: process.pid, start_time: '1', url: 'http://127.0.0.1:9' }),
  )
  assert.match(valkeep(['status']).stderr, /No platform runs/)
})

test('down says where there is nothing to stop', () => {
  const nowhere = join(home, 'nowhere')
  const { status, stdout, stderr } = valkeep(['down', '--home', nowhere])
  assert.deepEqual([status, stdout], [0, ''])
  assert.equal(stderr, `There is no data directory ${nowhere}: nothing to stop\n`)
  assert.equal(
    (JSON.parse(valkeep(['down', '--home', nowhere, '--json']).stdout) as { stopped: boolean }).stopped,
    false,
  )
  assert.equal(existsSync(nowhere), false)
})

test('wrong settings are all named, and nothing starts', () => {
  const { status, stderr } = valkeep(['up', '--port', 'x', '--attempts', '0'], { VALKEEP_LOG_LEVEL: 'loud' })
  assert.equal(status, 2)
  for (const source of [/--port/, /--attempts/, /VALKEEP_LOG_LEVEL/]) assert.match(stderr, source)
})

test('doctor reports what it finds, for people and for programs', () => {
  const result = valkeep(['doctor', '--json', '--port', '1'], {})
  const report = JSON.parse(result.stdout) as {
    ok: boolean
    checks: { check: string; status: string; fix: string | null }[]
  }
  assert.equal(result.status, report.ok ? 0 : 1)
  for (const name of ['node', 'valkey-server', 'valkey-cli', 'data directory', 'admin key', 'port', 'disk', 'clock'])
    assert.ok(
      report.checks.some((each) => each.check === name),
      name,
    )
  const wrong = valkeep(['doctor', '--port-min', '9000', '--port-max', '8000'])
  assert.equal(wrong.status, 1)
  assert.match(wrong.stdout, /FAIL {2}settings: .*port_max/)
})

test('completion proposes commands and flags, and each shell has a script', () => {
  assert.deepEqual(valkeep(['complete', '--', 'instance', 'conn']).stdout.split('\n').filter(Boolean).sort(), [
    'connect',
    'connection',
  ])
  assert.match(valkeep(['complete', '--', 'user', 'create', '--']).stdout, /^--key-pattern$/m)
  for (const shell of ['bash', 'zsh', 'fish'])
    assert.match(valkeep(['completion', shell]).stdout, /valkeep.* complete|complete --/)
  const syntax = spawnSync('bash', ['-n'], { input: valkeep(['completion', 'bash']).stdout, encoding: 'utf8' })
  assert.deepEqual([syntax.status, syntax.stderr], [0, ''])
})

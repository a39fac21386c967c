/** `valkeep stack check` on a real stack: what is broken is found, and the line that it offers mends it. */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { appendFileSync, chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Finding } from '../../src/domain/finding.ts'
import { judgeStack } from '../../src/domain/stack/check/check.ts'
import { parseCredentials } from '../../src/domain/stack/secrets.ts'
import { gatherFacts } from '../../src/stack/check-facts.ts'
import { openDeclaredStack } from '../../src/stack/stack-place.ts'
import { sha256Hex } from '../../src/vault/random.ts'
import { asPerson } from '../support/as-person.ts'
import { brokenByGit, brokenStacks, fails, mark, takenByRoot } from '../support/stack-broken.ts'
import { assertFindings, bad } from '../support/stack-check.ts'

const program = fileURLToPath(new URL('../../bin/valkeep', import.meta.url))
const isRoot = process.getuid?.() === 0
const dirs = mkdtempSync(join(tmpdir(), 'vk-check-'))
const env = { PATH: `${dirname(program)}${delimiter}${process.env['PATH']}`, HOME: dirs, NO_COLOR: '1' }
/** Everything that no output may hold. */
const secrets: string[] = [mark]

type Run = { status: number; stdout: string; stderr: string }

function assertNoSecret(text: string): void {
  for (const secret of secrets) assert.ok(!text.includes(secret), 'a secret is shown')
}

function run(file: string, args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd: dirs, env, encoding: 'utf8' }, (error, stdout, stderr) => {
      assertNoSecret(`${stdout}${stderr}`)
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

const valkeep = (...words: string[]) => run(program, words)

/** The findings of a stack, with the exit code that goes with them. */
async function check(dir: string): Promise<Finding[]> {
  const { status, stdout, stderr } = await valkeep('stack', 'check', '--json', dir)
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Finding[] }
  const isFailed = checks.some((finding) => finding.status === 'fail')
  assert.deepEqual([ok, status], [!isFailed, isFailed ? 1 : 0], stderr)
  return checks
}

/** The same without a process for it, which takes a quarter of a second. @param dir absolute */
function look(dir: string): Finding[] {
  const place = openDeclaredStack(dir)
  const findings = judgeStack(place.spec, gatherFacts(place, new Date(), env))
  assertNoSecret(JSON.stringify(findings))
  return findings
}

before(async () => {
  const { status, stderr } = await valkeep('stack', 'init', 'model')
  assert.equal(status, 0, stderr)
  const read = (path: string) => readFileSync(join(dirs, 'model', path), 'utf8')
  const passwords = [...parseCredentials(read('deploy/secrets/credentials.env.example')).values()]
  assert.equal(passwords.length, 4)
  const keys = ['ca', 'server', 'client'].map((name) => read(`certs/valkey/${name}.key`).split('\n')[2] ?? '')
  secrets.push(...passwords, ...passwords.map(sha256Hex), ...keys)
})
after(() => rmSync(dirs, { recursive: true }))

/** A copy of the one stack, with its owners: keys take seconds to make. */
function copy(name: string): string {
  assert.equal(spawnSync('cp', ['-a', join(dirs, 'model'), join(dirs, name)]).status, 0)
  return join(dirs, name)
}

/** The line that a finding offers, as it is pasted; without docker nothing is restarted. */
function offered(fix: string | null): string {
  const line = /(?:(?<=^As root: )chown|^(?:chmod|rmdir|printf)|valkeep stack) .*$/
  return ((/git -C .*$/.exec(fix ?? '') ?? line.exec(fix ?? ''))?.[0] ?? '').replace(' --apply', '')
}

const hasGit = spawnSync('git', ['--version']).status === 0
const cases = {
  ...brokenStacks,
  ...(hasGit ? brokenByGit : {}),
  ...(isRoot ? { 'a secret that is still root’s': takenByRoot } : {}),
}

test('a fresh stack is well, and says so for a person too', async () => {
  assert.deepEqual(bad(await check('model')), [])
  const { status, stdout, stderr } = await valkeep('stack', 'check', 'model')
  assert.deepEqual([status, stderr], [0, ''])
  for (const line of stdout.trimEnd().split('\n')) assert.match(line, /^ok {4}[\w. ]+/)
})

test('each thing that is broken is found, and the line that is offered mends it', { concurrency: 3 }, async (t) => {
  const runs = Object.entries(cases).map(([name, { breaks, expected, first }], i) =>
    t.test(name, async () => {
      const dir = copy(`case-${i}`)
      await breaks(dir)
      const findings = look(dir)
      assertFindings(findings, expected, name)
      const [finding] = bad(findings)
      if (finding === undefined || first === null) return
      first?.(dir)
      const mended = await run('/bin/sh', ['-c', offered(finding.fix)])
      assert.equal(mended.status, 0, `${finding.fix}: ${mended.stderr}`)
      assert.deepEqual(bad(look(dir)), [], `after ${finding.fix}`)
    }),
  )
  await Promise.all(runs)
})

test('what a person sees: the mark, the file, the fix, and an end with 1', async () => {
  rmSync(join(copy('seen'), 'certs/valkey/server.crt'))
  const { status, stdout, stderr } = await valkeep('stack', 'check', 'seen')
  assert.equal(status, 1)
  assert.match(
    stdout,
    /^FAIL {2}files: seen\/certs\/valkey\/server\.crt is missing.*\n {6}\S*valkeep stack certs --stack seen$/m,
  )
  assert.match(
    stderr,
    /^Error: 1 of \d+ checks failed\nNext: Fix them as said above, then run \S*valkeep stack check seen again\.\n$/,
  )
})

test('where there is no stack', async () => {
  const { status, stdout, stderr } = await valkeep('stack', 'check', 'nowhere')
  assert.deepEqual([status, stdout], [5, ''])
  assert.match(stderr, /There is no stack\.yaml in nowhere/)
})

test('an ordinary user’s stack is well, and a password in a file that others read is found', async () => {
  const dir = join(dirs, 'own')
  mkdirSync(dir)
  const person = isRoot ? '4711:4711' : `${process.getuid?.()}:${process.getgid?.()}`
  if (isRoot) chownSync(dir, 4711, 4711)
  const made = await run(...asPerson(person, program, ['stack', 'init', 'own']))
  assert.equal(made.status, 0, made.stderr)
  const looked = await run(...asPerson(person, program, ['stack', 'check', '--json', 'own']))
  assert.deepEqual(bad((JSON.parse(looked.stdout) as { checks: Finding[] }).checks), [])

  const credentials = readFileSync(join(dir, 'deploy/secrets/credentials.env.example'), 'utf8')
  const password = parseCredentials(credentials).get('VALKEY_LOG_WRITER_PASS')
  assert.ok(password)
  secrets.push(password)
  appendFileSync(join(dir, 'deploy/docker-compose.yml'), `x-note: "password=${password}"\n`)
  assertFindings(
    await check('own'),
    fails('passwords', /^line \d+ of own\/deploy\/docker-compose\.yml holds the password of log-writer$/),
    'leak',
  )
})

/** Imports everything while it may, then is somebody else. A clone often lies in root's own directory. */
const asStranger = `
const [root, dir] = process.argv.slice(1)
const { gatherFacts } = await import(root + '/src/stack/check-facts.ts')
const { openDeclaredStack } = await import(root + '/src/stack/stack-place.ts')
const { judgeStack } = await import(root + '/src/domain/stack/check/check.ts')
if (process.getuid() === 0) { process.setgroups([]); process.setgid(4711); process.setuid(4711) }
const place = openDeclaredStack(dir)
console.log(JSON.stringify(judgeStack(place.spec, gatherFacts(place, new Date(), {}))))
`

test('what this user may not look at is no success', async () => {
  chmodSync(dirs, 0o755)
  const dir = copy('shut')
  if (!isRoot) chmodSync(join(dir, 'deploy/secrets/credentials.env.example'), 0)
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', asStranger]
  const { stdout, stderr } = await run(process.execPath, [...flags, root, dir])
  assert.equal(stderr, '')
  assertFindings(
    JSON.parse(stdout) as Finding[],
    fails('access', /this user cannot read .*credentials\.env\.example: what stands there was not checked/),
    'stranger',
  )
})

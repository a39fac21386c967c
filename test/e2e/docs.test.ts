/** The documents as a reader uses them: the README's tour runs, links lead somewhere, commands and flags exist. */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { healthVariables } from '../../src/domain/stack/health.ts'
import { assertPrinted, consoleBlocks, runInShell, type Shown } from '../support/doc-blocks.ts'
import { assertNothingLeft } from '../support/left-behind.ts'
import { requirePart } from '../support/parts.ts'
import { freePort } from '../support/free-port.ts'

const root = resolve(import.meta.dirname, '../..')
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].sort()
const textOf = (path: string) => readFileSync(join(root, path), 'utf8')
/** The home of the reader in the documents. */
const shownHome = '/home/ada/.local/share/valkeep'

/** A reader's directory beside which lies one of an application, and an environment that knows of no other platform. */
async function makeReader() {
  const dir = mkdtempSync(join(tmpdir(), 'valkeep-docs-'))
  const clone = join(dir, 'valkeep')
  mkdirSync(clone)
  mkdirSync(join(dir, 'client'))
  symlinkSync(join(root, 'node_modules'), join(dir, 'client/node_modules'))
  writeFileSync(join(clone, 'valkeep'), `#!/bin/sh\nVALKEEP_COMMAND=./valkeep exec '${root}/valkeep' "$@"\n`)
  chmodSync(join(clone, 'valkeep'), 0o755)
  const portMin = 21_000 + Math.floor(Math.random() * 70) * 100
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|VALKEEP_|XDG_DATA)/.test(name))
  const env = {
    ...Object.fromEntries(inherited),
    XDG_DATA_HOME: join(dir, 'data'),
    VALKEEP_RUNTIME_DIR: mkdtempSync('/tmp/valkeep-docs-'),
    VALKEEP_PORT: String(await freePort()),
    VALKEEP_PORT_MIN: String(portMin),
    VALKEEP_PORT_MAX: String(portMin + 99),
  }
  return { dir, clone, home: join(dir, 'data/valkeep'), env }
}
type Reader = Awaited<ReturnType<typeof makeReader>>

/** The lines that the platform prints up to its ready line. */
async function linesUntilReady(platform: ChildProcessWithoutNullStreams): Promise<string[]> {
  const lines: string[] = []
  for await (const line of createInterface({ input: platform.stdout })) {
    lines.push(line)
    if (line.startsWith('ready ')) break
  }
  platform.stdout.resume()
  return lines
}

const assertShown = (reader: Reader, shown: Shown, printed: readonly string[]): void =>
  assertPrinted(
    shown,
    printed.map((line) => line.replaceAll(reader.home, shownHome)),
  )

test('the tour of the README prints what it shows', async (t) => {
  if (requirePart(t, 'valkey-cli') === undefined) return
  const reader = await makeReader()
  t.after(() => {
    rmSync(reader.env.VALKEEP_RUNTIME_DIR, { recursive: true })
    rmSync(reader.dir, { recursive: true })
  })
  const [start] = consoleBlocks(textOf('README.md'), 'runnable: start')
  const tour = consoleBlocks(textOf('README.md'), 'runnable')
  assert.ok(start !== undefined && start.command === 'npm start' && tour.length >= 12, String(tour.length))
  const platform = spawn('sh', [join(root, 'scripts/start.sh')], { env: reader.env })
  const ended = new Promise((done) => platform.once('exit', done))
  try {
    assertShown(reader, start, await linesUntilReady(platform))
    const printed = await runInShell({ cwd: reader.clone, env: reader.env }, tour)
    assert.equal(printed.length, tour.length)
    for (const [index, shown] of tour.entries()) assertShown(reader, shown, printed[index] ?? [])
  } finally {
    await runInShell({ cwd: reader.clone, env: reader.env }, [{ command: './valkeep down', output: [] }])
    await ended
  }
  assertNothingLeft(reader.dir)
})

/** GitHub's anchors: lower case, spaces to dashes, marks dropped. */
const anchorsOf = (markdown: string) =>
  new Set(
    [...markdown.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )

test('every relative link leads to a file, and to a heading where it names one', () => {
  const broken = documents.flatMap((path) =>
    [...textOf(path).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(([link, file = '', anchor]) => {
      const target = file === '' ? path : join(dirname(path), file)
      if (!existsSync(join(root, target))) return [`${path}: ${link}`]
      return anchor === undefined || anchorsOf(textOf(target)).has(anchor) ? [] : [`${path}: ${link}`]
    }),
  )
  assert.deepEqual(broken, [])
})

/** Code of a document: fenced blocks and spans, generated documents aside. */
const codeOf = (path: string): string =>
  [...textOf(path).matchAll(/^```[a-z]*\n([\s\S]*?)^```$|`([^`\n]+)`/gm)]
    .map(([, block, span]) => block ?? span)
    .join('\n')
const written = documents.filter((path) => !path.startsWith('docs/reference/'))

/** Each command of the reference with the flags that its help names. */
function commandsOfReference(): Map<string, Set<string>> {
  const sections = textOf('docs/reference/cli.md')
    .split(/^## (?=valkeep )/m)
    .slice(1)
  return new Map(
    sections.map((section) => {
      const flags = [...section.matchAll(/--[a-z][a-z-]*/g)].map(([flag]) => flag)
      return [section.slice(0, section.indexOf('\n')).trim(), new Set([...flags, '--help'])]
    }),
  )
}

test('every command and flag of valkeep that a document names exists', () => {
  const commands = commandsOfReference()
  const groups = new Set([...commands.keys()].map((name) => name.split(' ')[1]))
  const unknown = written.flatMap((path) =>
    [...codeOf(path).matchAll(/(?:^|[\s("'`$/])valkeep (?!--|is\b)([a-z]+)(?: ([a-z]+))?([^|\n;)$]*)/g)].flatMap(
      ([, first = '', second = '', rest = '']) => {
        const name = commands.has(`valkeep ${first}`) ? `valkeep ${first}` : `valkeep ${first} ${second}`
        if (!groups.has(first)) return [`${path}: valkeep ${first}`]
        const flags = commands.get(name)
        if (flags === undefined) return second === '' ? [] : [`${path}: ${name}`]
        // What follows -- is valkey-cli's.
        const own = rest.split(' -- ')[0] ?? ''
        return [...own.matchAll(/--[a-z][a-z-]*/g)].flatMap(([flag]) =>
          flags.has(flag) ? [] : [`${path}: ${name} ${flag}`],
        )
      },
    ),
  )
  assert.deepEqual(unknown, [])
})

test('every endpoint that a document names exists', () => {
  const paths = Object.keys((JSON.parse(textOf('docs/reference/openapi.json')) as { paths: object }).paths)
  const served = [...paths, '/openapi.json', '/docs/'].map(
    (path) => new RegExp(`^${path.replace(/\{[A-Za-z]+\}/g, '[^/]+')}$`),
  )
  const unknown = written.flatMap((path) =>
    [...codeOf(path).matchAll(/\b(?:GET|POST|PUT|PATCH|DELETE) (\/[^\s`?]*)|\$API(\/[^\s"'`?]*)/g)].flatMap(
      ([, named, called]) => {
        const endpoint = named ?? called ?? ''
        return served.some((pattern) => pattern.test(endpoint)) ? [] : [`${path}: ${endpoint}`]
      },
    ),
  )
  assert.deepEqual(unknown, [])
})

test('every file of the repository that a document names exists', () => {
  const unknown = written.flatMap((path) =>
    [...codeOf(path).matchAll(/(?:^|[\s("'])((?:src|test|scripts|docs|bin|bench|\.ci)\/[\w./-]*\w)/gm)].flatMap(
      ([, file = '']) => (existsSync(join(root, file)) ? [] : [`${path}: ${file}`]),
    ),
  )
  assert.deepEqual(unknown, [])
})

test('every setting that a document names exists', () => {
  const known = new Set(
    [...textOf('docs/reference/config.md').matchAll(/`(VALKE[YEP]+_[A-Z_]+)`/g)].map(([, name]) => name),
  )
  // Of the CLI, the tests, and the snippets of /connection.
  const others = ['API', 'KEY_FILE', 'CA_FILE', 'TENANT', 'PARTS', 'TEST_FULL', 'UPDATE_GOLDEN'].map(
    (name) => `VALKEEP_${name}`,
  )
  const ofStack = [
    ...Object.keys(healthVariables),
    ...Object.values(defaultSpec().users).map(({ env }) => env),
    // The example of a fifth user.
    'VALKEY_DASHBOARD_PASS',
  ]
  const all = new Set([...known, ...others, ...ofStack, 'VALKEY_USERNAME', 'VALKEY_PASSWORD'])
  const unknown = written.flatMap((path) =>
    [...codeOf(path).matchAll(/\b(?:VALKEEP|VALKEY)_[A-Z_]+\b/g)].flatMap(([name]) =>
      all.has(name) ? [] : [`${path}: ${name}`],
    ),
  )
  assert.deepEqual(unknown, [])
})

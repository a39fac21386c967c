import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { CliError } from '../cli/exit-code.ts'
import { defaultSpec } from '../domain/stack/default-spec.ts'
import { partsFor } from './compose-file.ts'
import { propertyRuns } from '../../test/support/acl-arbitraries.ts'
import { mergeCompose } from './compose-merge.ts'

const parts = partsFor(defaultSpec(), '/stack', '/stack/docker-compose.yml')
const merge = (text: string, force = false) =>
  mergeCompose(text, parts, 'docker-compose.yml', { force, forceLine: 'valkeep stack compose --force' })

const asData = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** Whether each line of one text stands in the other, in its order. */
function holdsLines(text: string, lines: readonly string[]): boolean {
  const all = text.split('\n')
  let at = -1
  return lines.every((line) => (at = all.indexOf(line, at + 1)) !== -1)
}

const word = fc
  .stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
  .filter((name) => !/^(valkey|null|true|false|yes|no|on|off|y|n)/.test(name))
const file = fc.record({
  services: fc.dictionary(
    word,
    fc.record({ image: word, command: fc.option(fc.array(fc.string(), { maxLength: 3 })) }),
    { noNullPrototype: true },
  ),
  volumes: fc.option(fc.dictionary(word, fc.constantFrom(null, { external: true }), { noNullPrototype: true }), {
    nil: undefined,
  }),
  networks: fc.option(fc.dictionary(word, fc.constantFrom(null, { driver: 'bridge' }), { noNullPrototype: true }), {
    nil: undefined,
  }),
  'x-note': fc.option(fc.string(), { nil: undefined }),
})

test('whatever a file holds, its lines and comments stay in their order, and what it means too', () => {
  fc.assert(
    fc.property(file, fc.constantFrom(2, 3, 4), fc.boolean(), (content, indent, isIndented) => {
      const given = Object.fromEntries(Object.entries(content).filter(([, value]) => value !== undefined))
      const written = stringify(given, { indent, indentSeq: isIndented })
      // A comment before every line that begins a key, and blank lines between.
      const text = written.replace(
        /^( *)([a-z][\w-]*):/gm,
        (line, spaces: string, key: string) => `\n${spaces}# about ${key}\n${line}`,
      )
      const readable = (() => {
        try {
          return JSON.stringify(parse(text)) === JSON.stringify(parse(written))
        } catch {
          return false
        }
      })()
      fc.pre(readable)
      const merged = merge(text)
      const isFlow = /^(services|volumes|networks|secrets): \{/m.test(text)
      if (!isFlow)
        assert.ok(
          holdsLines(
            merged.text,
            text.split('\n').filter((line) => line.trim() !== ''),
          ),
          merged.text,
        )
      for (const comment of text.match(/# about \S+/g) ?? []) assert.ok(merged.text.includes(comment))
      const after = parse(merged.text) as Record<string, Record<string, unknown>>
      for (const [section, entries] of Object.entries(given))
        if (typeof entries === 'object' && entries !== null)
          for (const [name, value] of Object.entries(entries)) assert.deepEqual(after[section]?.[name], asData(value))
      assert.deepEqual(after['services']?.['valkey'], asData(parts.services['valkey']))
      assert.deepEqual(merge(merged.text), { text: merged.text, added: [], keptNetworks: [] })
    }),
    { numRuns: propertyRuns(60) },
  )
})

for (const [what, text] of [
  ['an empty file', ''],
  ['only a comment', '# ours\n'],
  ['a section without a value', 'services:\nvolumes:\n# end\n'],
  ['a service without a line break at its end', 'services:\n  a:\n    image: x'],
  ['anchors and merges', 'x-a: &a {restart: always}\nservices:\n  a:\n    <<: *a\n    image: x # pinned\n'],
  ['a block text at its end', 'services:\n  a:\n    command: |\n      one\n\n      two\n\n\nvolumes: {}\n'],
] as const)
  test(`${what} can be added to`, () => {
    const merged = merge(text)
    assert.ok(
      holdsLines(
        merged.text,
        text.split('\n').filter((line) => line.trim() !== '' && !line.endsWith('{}')),
      ),
      merged.text,
    )
    assert.deepEqual((parse(merged.text, { merge: true }) as { services: object }).services, {
      ...(parse(text, { merge: true }) as { services?: object } | null)?.services,
      valkey: asData(parts.services['valkey']),
    })
  })

test('an entry of our name that says something else is refused, and exchanged by force, and no other line with it', () => {
  const theirs = `services:
    # theirs
    web:   {image: x}
    agent:
        secrets: [{source: s,   mode: 0440}]   # octal for one reader, decimal for another
    # before ours
    valkey:
        image: redis   # goes
        deploy: {replicas: 010}
    # behind ours

    last: {image: y}
`
  assert.throws(
    () => merge(theirs),
    (error) => error instanceof CliError && error.reasons.includes('services.valkey'),
  )
  const forced = merge(theirs, true).text
  const stay = theirs.split('\n').filter((line) => line.trim() !== '' && !/valkey:|redis|replicas/.test(line))
  assert.ok(holdsLines(forced, stay), forced)
  assert.deepEqual((parse(forced) as { services: object }).services, {
    ...(parse(theirs) as { services: object }).services,
    valkey: asData(parts.services['valkey']),
  })
  assert.equal(merge(forced, true).text, forced)
})

test('what cannot be put in as text is refused, not printed anew', () => {
  for (const text of ['services: {a: {image: x, mode: 0440}}\n', '{"services": {"a": {"image": "x"}}}\n'])
    assert.throws(
      () => merge(text),
      (error) => error instanceof CliError && /without printing other lines anew/.test(error.message),
      text,
    )
})

test('line ends stay what they are', () => {
  const merged = merge('services:\r\n  a:\r\n    image: x\r\n').text
  assert.doesNotMatch(merged, /[^\r]\n/)
})

test('a network that is there stays as it is, and is named', () => {
  const theirs = 'networks:\n  gateway-bridge: {driver: bridge}\n'
  const merged = merge(theirs)
  assert.deepEqual(merged.keptNetworks, ['gateway-bridge'])
  assert.deepEqual((parse(merged.text) as { networks: object }).networks, { 'gateway-bridge': { driver: 'bridge' } })
})

for (const text of ['- a\n', 'services: [a]\n', 'a: [\n', 'a: 1\n---\nb: 2\n', 'just words', '{"services": '])
  test(`${JSON.stringify(text)} is no compose file`, () => {
    assert.throws(
      () => merge(text),
      (error) => error instanceof CliError && /not a compose file/.test(error.message),
    )
  })

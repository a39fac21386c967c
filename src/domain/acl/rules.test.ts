import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FORBIDDEN } from './ceiling.ts'
import { CATEGORIES, COMMANDS } from './command-table.ts'
import { permittedCommands } from './evaluate.ts'
import { presetNames } from './presets.ts'
import { expandPrivileges, parsePrivileges } from './rules.ts'

const codeOf = (value: string, engineVersion?: string): string => {
  const parsed = parsePrivileges([value], engineVersion)
  return parsed.ok ? parsed.rules.join(' ') : (parsed.errors[0]?.code ?? 'no code')
}

test('accepts what the source shows, in any case, and normalises it', () => {
  const typed = ['+@all', '+@read', '+@Connection', '+GET', '-FLUSHALL', 'get', 'allcommands', 'nocommands', '+@string']
  const rules = ['+@all', '+@read', '+@connection', '+get', '-flushall', '+get', '+@all', '-@all', '+@string']
  assert.deepEqual(parsePrivileges(typed), { ok: true, rules })
  assert.deepEqual(parsePrivileges(['+CLIENT|SetName', 'INFO', '-@DANGEROUS', '-@admin', '@hash', '+sort']), {
    ok: true,
    rules: ['+client|setname', '+info', '-@dangerous', '-@admin', '+@hash', '+sort'],
  })
})

test('refuses what is no privilege, each with the code that names why', () => {
  const refused: Record<string, string[]> = {
    empty: [''],
    not_a_privilege: [
      ...['nopass', 'NOPASS', '>pw', '<pw', '#hash', '!hash', `#${'a'.repeat(63)}`, 'resetpass'],
      ...['~*', '~app:*', '%R~x', '%', '&*', '&news', 'allkeys', 'resetkeys', 'allchannels', 'resetchannels'],
      ...['(+get', '(+get)', '+get)', 'clearselectors', 'on', 'off', 'ON', 'reset', 'sanitize-payload'],
      ...['skip-sanitize-payload', 'alldbs', 'db=0', 'resetdbs'],
    ],
    not_printable: [
      ' ',
      '+get +set',
      '+get\n',
      '\n+get',
      '+get\r',
      '+g\0et',
      '+gét',
      '+get\t',
      '＋get',
      '+ɡet',
      '\u{1f600}',
    ],
    too_long: [`+${'a'.repeat(64)}`, '+get'.repeat(10_000)],
    unknown_command: [
      '+',
      '-',
      '+nosuch',
      '+get|x',
      '+client|nosuch',
      '++get',
      '*',
      '--get',
      '+constructor',
      '+select|0',
    ],
    unknown_category: ['+@', '@', '+@nosuch', '-@nosuch', '+@__proto__', '+@@all'],
    forbidden: [
      ...['+@admin', '@admin', '+@DANGEROUS', '+flushall', 'FLUSHDB', '+keys', '+swapdb', '+config', '+config|get'],
      ...['+acl', '+acl|cat', '+client', '+client|kill', '+client|no-evict', '+client|import-source', '+function'],
      ...['+function|load', '+script', '+script|flush', '+script|kill', '+memory', '+memory|purge', '+cluster'],
      ...['+cluster|getkeysinslot', '+debug', '+module', '+monitor', '+psync', '+replicaof', '+restore', '+migrate'],
      ...['+shutdown', '+slowlog', '+commandlog', '+latency', '+save', '+bgsave', '+failover', '+sync', '+role'],
    ],
  }
  for (const [code, values] of Object.entries(refused)) {
    for (const value of values) assert.equal(codeOf(value), code, JSON.stringify(value.slice(0, 40)))
  }
})

test('whatever exists may be taken away', () => {
  for (const name of COMMANDS.keys()) assert.equal(codeOf(`-${name}`), `-${name}`)
  for (const category of CATEGORIES) assert.equal(codeOf(`-@${category}`), `-@${category}`)
})

test('lists: empty, too long, each entry at fault with its index', () => {
  const empty = parsePrivileges([])
  assert.equal(!empty.ok && empty.errors[0]?.code, 'empty_list')
  assert.equal(parsePrivileges(Array.from({ length: 100 }, () => '+get')).ok, true)
  const long = parsePrivileges(Array.from({ length: 101 }, () => '+get'))
  assert.equal(!long.ok && long.errors[0]?.code, 'too_many')
  const mixed = parsePrivileges(['+get', '+nosuch', '+set', '+@admin'])
  assert.deepEqual(!mixed.ok && mixed.errors.map(({ index, code }) => [index, code]), [
    [1, 'unknown_command'],
    [3, 'forbidden'],
  ])
})

test('a password in the wrong place is never repeated', () => {
  const parsed = parsePrivileges(['>hunter2hunter2', '<hunter2hunter2', `#${'c'.repeat(64)}`])
  assert.equal(parsed.ok, false)
  assert.doesNotMatch(JSON.stringify(parsed), /hunter2|ccc/)
})

test('a preset stands alone and stays what it is', () => {
  for (const name of presetNames) {
    assert.equal(codeOf(name), name)
    assert.ok(parsePrivileges(expandPrivileges([name])).ok, name)
  }
  assert.equal(codeOf('Read-Only'), 'read-only')
  const mixed = parsePrivileges(['read-only', '+set'])
  assert.equal(!mixed.ok && mixed.errors[0]?.code, 'preset_not_alone')
  assert.deepEqual(expandPrivileges(['+get', '-set']), ['+get', '-set'])
})

test('a command newer than the engine is refused, and accepted from its version on', () => {
  assert.equal(codeOf('+delifeq', '8.0.1'), 'too_new')
  assert.equal(codeOf('-delifeq', '8.1.1'), 'too_new')
  assert.equal(codeOf('+delifeq', '9.0.0'), '+delifeq')
  assert.equal(codeOf('+msetex', '9.0.3'), 'too_new')
  assert.equal(codeOf('+msetex', '9.1.2'), '+msetex')
  assert.equal(codeOf('+delifeq'), '+delifeq')
})

test('any text at all is decided: accepted ones are safe words, and reading them again changes nothing', () => {
  const piece = fc.constantFrom(
    '+',
    '-',
    '@',
    '|',
    ' ',
    '~',
    '%',
    '*',
    '(',
    ')',
    '>',
    '#',
    '\n',
    'get',
    'client',
    'kill',
    'all',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 6 }).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(fc.array(text, { maxLength: 5 }), (input) => {
      const parsed = parsePrivileges(input)
      if (!parsed.ok) return assert.ok(parsed.errors.every(({ reason }) => reason && /^[\x20-\x7e’…]*$/.test(reason)))
      assert.equal(parsed.rules.length, input.length)
      assert.ok(parsed.rules.every((rule) => /^([+-]@?[a-z0-9_|-]+|[a-z-]+)$/.test(rule)))
      assert.deepEqual(parsePrivileges(parsed.rules), parsed)
    }),
    { numRuns: 1_000 },
  )
})

test('an accepted single command is never a forbidden one, and covers no forbidden subcommand', () => {
  for (const name of COMMANDS.keys()) {
    const parsed = parsePrivileges([`+${name}`])
    if (!parsed.ok) continue
    assert.deepEqual(
      [...permittedCommands(parsed.rules)].filter((one) => FORBIDDEN.has(one)),
      [],
      name,
    )
  }
})

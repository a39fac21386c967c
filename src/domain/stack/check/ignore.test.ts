import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertFindings, type Expected, names } from '../../../../test/support/stack-check.ts'
import { defaultSpec } from '../default-spec.ts'
import { ignoredPaths } from '../places.ts'
import { judgeIgnored } from './ignore.ts'

const spec = defaultSpec()

test('the lines of init, their other spellings, what is missing and what is taken back', () => {
  const secrets: Expected[] = [
    ['warn', '.gitignore', /does not keep git from secrets\/$/, /^printf '%s\\n' 'secrets\/' >> \.gitignore$/],
  ]
  const keys: Expected[] = [['warn', '.gitignore', /from certs\/valkey\/\*\.key$/]]
  const cases: [text: string | undefined, expected: Expected[]][] = [
    ['secrets/\ncerts/valkey/*.key\n', []],
    ['node_modules\r\n/secrets\r\n/certs/valkey/*.key\r\n', []],
    ['secrets/**\n*.key', []],
    ['secrets\ncerts/valkey/\n', []],
    ['certs/valkey/*.key\n', secrets],
    ['# secrets/\ncerts/valkey/*.key\n', secrets],
    ['secrets/\n', keys],
    [undefined, [['warn', '.gitignore', /from secrets\/ and certs\/valkey\/\*\.key/]]],
    ['secrets/\n*.key\n!certs/valkey/server.key\n', [['warn', '.gitignore', /see !certs\/valkey\/server\.key again/]]],
    ['secrets/\n*.key\n!README.md\n', []],
  ]
  for (const [text, expected] of cases) assertFindings(judgeIgnored(spec, text, names), expected, JSON.stringify(text))
})

test('patterns that git matches, however stack.yaml writes the paths', () => {
  const of = (secrets: string, certs: string) => ignoredPaths({ files: { secrets, certs } })
  assert.deepEqual(of('./deploy/secrets/', './certs'), ['secrets/', 'certs/*.key'])
  assert.deepEqual(of('deploy/private', 'certs'), ['deploy/private/', 'certs/*.key'])
})

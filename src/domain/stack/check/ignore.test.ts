import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertFindings, type Expected, names } from '../../../../test/support/stack-check.ts'
import { defaultSpec } from '../default-spec.ts'
import { ignoredPaths } from '../places.ts'
import { type GitState, type IgnoreFacts, judgeIgnored, type SecretDir } from './ignore.ts'

const spec = defaultSpec()
const secretDir = { path: spec.files.secrets, isOutside: false, git: 'no repository', own: undefined } as const
const facts = (
  text: string | undefined,
  secrets: Partial<SecretDir> = {},
  certs: Partial<SecretDir> = {},
): IgnoreFacts => ({
  text,
  secrets: { ...secretDir, ...secrets },
  certs: { ...secretDir, path: spec.files.certs, ...certs },
})

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
  for (const [text, expected] of cases)
    for (const git of ['no repository', 'no answer'] as const)
      assertFindings(judgeIgnored(spec, facts(text, { git }, { git }), names), expected, JSON.stringify(text))
})

test('what git says goes before what the file says', () => {
  const git = (...states: GitState[]) => ({ git: new Map(states.map((state, i) => [`file${i}`, state])) })
  const both = 'secrets/\ncerts/valkey/*.key\n'
  const cases: [IgnoreFacts, Expected[]][] = [
    [facts(undefined, git('ignored'), git('ignored')), []],
    [facts('!secrets/x.txt\n', git('ignored'), git('ignored')), []],
    [facts(both, git('ignored')), []],
    [
      facts('*.key\n', git('ignored', 'taken'), git('ignored')),
      [
        [
          'fail',
          '.gitignore',
          /does not ignore deploy\/secrets\/file1:/,
          /^printf '%s\\n' 'secrets\/' >> \.gitignore$/,
        ],
      ],
    ],
    [
      facts(both, git('ignored'), git('taken')),
      [['fail', '.gitignore', /certs\/valkey\/file0/, /^printf '%s\\n' '\*\.key' >> certs\/valkey\/\.gitignore$/]],
    ],
    [
      facts(both, git('tracked', 'ignored'), git('ignored')),
      [
        [
          'fail',
          '.gitignore',
          /git holds deploy\/secrets\/file0:/,
          /make new ones .* git -C deploy\/secrets rm -q --cached -- file0$/,
        ],
      ],
    ],
    [
      facts('', git('tracked', 'taken')),
      [
        ['fail', '.gitignore', /git holds/],
        ['fail', '.gitignore', /does not ignore/],
        ['warn', '.gitignore', /does not keep git from certs\/valkey\/\*\.key/],
      ],
    ],
  ]
  for (const [given, expected] of cases)
    assertFindings(judgeIgnored(spec, given, names), expected, JSON.stringify(given))
})

test('a pattern that leaves the directory of its .gitignore protects nothing', () => {
  const both = 'secrets/\ncerts/valkey/*.key\n'
  const cases: [Partial<SecretDir>, Expected[]][] = [
    [{ git: 'no repository' }, []],
    [
      { git: 'no answer' },
      [
        [
          'fail',
          '.gitignore',
          /deploy\/secrets lies in a git repository, and out of reach/,
          /'\*' >> deploy\/secrets\/\.gitignore$/,
        ],
      ],
    ],
    [{ git: 'no answer', own: '*\n' }, []],
    [{ git: new Map([['a', 'ignored']]) }, []],
    [
      { git: new Map([['a', 'taken']]) },
      [['fail', '.gitignore', /does not ignore/, /'\*' >> deploy\/secrets\/\.gitignore$/]],
    ],
  ]
  for (const [given, expected] of cases)
    assertFindings(
      judgeIgnored(spec, facts(both, { ...given, isOutside: true }), names),
      expected,
      JSON.stringify(given),
    )
})

test('a last line without its end is not added to', () => {
  const [finding] = judgeIgnored(spec, facts('node_modules'), names)
  assert.match(finding?.fix ?? '', /^printf '%s\\n' '' 'secrets\/' /)
})

test('patterns that git matches, however stack.yaml writes the paths', () => {
  const of = (secrets: string, certs: string) => ignoredPaths({ files: { secrets, certs } })
  assert.deepEqual(of('./deploy/secrets/', './certs'), ['secrets/', 'certs/*.key'])
  assert.deepEqual(of('deploy/private', 'certs'), ['deploy/private/', 'certs/*.key'])
})

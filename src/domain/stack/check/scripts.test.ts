import { test } from 'node:test'
import { assertFindings, names } from '../../../../test/support/stack-check.ts'
import { defaultSpec } from '../default-spec.ts'
import { judgeScripts } from './scripts.ts'

test('a health check of somebody else’s is worse than an old generator', () => {
  const facts = new Map([
    ['generate-valkey-certs.sh', 'same'],
    ['generate-valkey-secrets.sh', 'differs'],
    ['valkey-health.sh', 'differs'],
  ] as const)
  const fix = /^valkeep stack scripts --force$/
  assertFindings(
    judgeScripts(defaultSpec(), facts, names),
    [
      ['warn', 'scripts', /scripts\/generate-valkey-secrets\.sh .* would put back other rules$/, fix],
      ['fail', 'scripts', /scripts\/valkey-health\.sh .* runs in the container/, fix],
    ],
    'both',
  )
  assertFindings(judgeScripts(defaultSpec(), new Map([['valkey-health.sh', 'same']]), names), [], 'same')
})

/** What the unit tests of the judgements share: names of a stack that is looked at from its own directory, and how findings read. */
import assert from 'node:assert/strict'
import type { Finding } from '../../src/domain/finding.ts'
import type { Names } from '../../src/domain/stack/check/facts.ts'

export const names: Names = {
  shown: (path) => path,
  word: (path) => path,
  command: (line) => `valkeep stack ${line}`,
}

/** What is not well. */
export const bad = (findings: readonly Finding[]): Finding[] => findings.filter(({ status }) => status !== 'ok')

/** A finding that must be there: its status, its check, and what its detail and its fix say. */
export type Expected = [status: 'fail' | 'warn', check: string, detail: RegExp, fix?: RegExp]

/** The findings that are not well are these, one for one and in this order, and each says what to do. */
export function assertFindings(findings: readonly Finding[], expected: readonly Expected[], what: string): void {
  const found = bad(findings)
  const text = `${what}: ${JSON.stringify(found, null, 2)}`
  assert.deepEqual(
    found.map(({ status, check }) => [status, check]),
    expected.map(([status, check]) => [status, check]),
    text,
  )
  for (const [i, [, , detail, fix]] of expected.entries()) {
    assert.match(found[i]?.detail ?? '', detail, text)
    assert.match(found[i]?.fix ?? '', fix ?? /./, text)
  }
}

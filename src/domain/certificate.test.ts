import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renewalDue } from './certificate.ts'

const validity = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2026-03-31T00:00:00Z') }
const day = (text: string) => new Date(`${text}T00:00:00Z`)

test('renewal is due from the last third of the lifetime on, and after it', () => {
  assert.equal(renewalDue(validity, day('2025-12-31')), false)
  assert.equal(renewalDue(validity, day('2026-01-01')), false)
  assert.equal(renewalDue(validity, new Date(day('2026-03-01').getTime() - 1)), false)
  // 89 days: the last third begins 29 days and 16 hours before the end.
  assert.equal(renewalDue(validity, new Date('2026-03-01T07:59:59.999Z')), false)
  assert.equal(renewalDue(validity, new Date('2026-03-01T08:00:00.000Z')), true)
  assert.equal(renewalDue(validity, day('2026-03-30')), true)
  assert.equal(renewalDue(validity, day('2026-04-01')), true)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { redactReply } from './redact.ts'

test('no argument of at least four characters survives, echoed whole or at the end of a message', () => {
  // Drawn from characters that the messages themselves do not use, so that finding one means it was echoed.
  const secret = fc.string({ unit: fc.constantFrom(...'XYZ019_\n$'), minLength: 4, maxLength: 300 })
  fc.assert(
    fc.property(secret, (password) => {
      const echoed = password.replace(/[\r\n]/g, ' ')
      const replies = [
        `ERR Error in setuser modifier '${echoed}': bad`,
        `ERR odd ${echoed}`,
        `ERR unknown command 'foo', with args beginning with: '${echoed.slice(0, 128)}' `,
      ]
      for (const reply of replies) {
        const told = redactReply(reply, ['ACL', 'SETUSER', password])
        assert.ok(!told.includes(echoed), told)
      }
    }),
  )
})

test('what is known to be no secret stays, and so do short words inside others', () => {
  const reply = "ERR CONFIG SET failed (possibly related to argument 'hz') - argument must be between 1 and 500"
  assert.equal(redactReply(reply, ['CONFIG', 'SET', 'hz', 'a'], ['hz']), reply)
  assert.equal(redactReply("ERR no 'pw' here", ['AUTH', 'pw']), "ERR no '[…]' here")
  assert.equal(redactReply('ERR unknown command', ['FOO', 'ERR', '']), 'ERR unknown command')
})

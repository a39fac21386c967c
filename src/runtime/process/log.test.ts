import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { explainEnd } from './log.ts'

const line = (level: string, text: string) => `7:M 21 Nov 2026 11:22:13.604 ${level} ${text}\n`
const start = [
  line('#', 'WARNING Memory overcommit must be enabled! Without it …'),
  line('*', 'Configuration loaded'),
].join('')

describe('last words of a server', () => {
  it('name a taken port', () => {
    const text = `${start}${line('#', 'Warning: Could not create server TCP listening socket 127.0.0.1:7000: bind: Address already in use')}${line('#', 'Failed listening on port 7000 (tls), aborting.')}`
    const { code, message } = explainEnd(text)
    assert.deepEqual([code, message], ['port-taken', 'port 7000 on 127.0.0.1 is taken'])
  })

  it('name a refused directive without its value', () => {
    const text = `\n*** FATAL CONFIG FILE ERROR (Version 8.0.1) ***\nReading the configuration file, at line 2\n>>> 'requirepas hunter2'\nBad directive or wrong number of arguments\n`
    const { code, message } = explainEnd(text)
    assert.equal(code, 'config-error')
    assert.equal(
      message,
      'valkey.conf is refused: Reading the configuration file, at line 2, directive requirepas, Bad directive or wrong number of arguments',
    )
  })

  it('keep rules and digests of users to themselves', () => {
    const digest = 'ab'.repeat(32)
    const text = `${start}${line('#', `Aborting Valkey startup because of ACL errors: users.acl:1: Error in applying operation '#${digest} x': bad. #${digest}`)}`
    const { code, message } = explainEnd(text)
    assert.equal(code, 'config-error')
    assert.match(message, /users\.acl:1: Error in applying a rule: bad/)
    assert.doesNotMatch(message, /abab/)
  })

  it('are the last warnings, else none', () => {
    const text = `${start}${line('#', 'Wrong signature trying to load DB from file')}${line('#', 'Fatal error loading the DB, check server logs. Exiting.')}`
    const { code, message } = explainEnd(text)
    assert.equal(code, 'exited')
    assert.equal(
      message,
      'the server ended: Wrong signature trying to load DB from file; Fatal error loading the DB, check server logs. Exiting.',
    )
    assert.equal(explainEnd(start).message, 'the server ended without a word')
  })
})

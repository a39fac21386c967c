import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { connectionInfo } from '../../src/domain/connection.ts'
import { shellQuote } from '../../src/domain/shell-quote.ts'

/** What the shell makes of a command line's words, each between < and >. */
const words = (line: string): string => execFileSync('sh', ['-c', `printf '<%s>' ${line}`], { encoding: 'utf8' })

const hostile = `ab'"\`$()!{}[]*?~;&|<>#-= \t\n\r\\%äλ`.split('')

test('a shell reads a quoted word back as it was', () => {
  const word = fc.array(fc.constantFrom(...hostile), { maxLength: 12 }).map((characters) => characters.join(''))
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), (list) => {
      assert.equal(words(list.map(shellQuote).join(' ')), list.map((each) => `<${each}>`).join(''))
    }),
    { numRuns: 40 },
  )
})

test('no text leaves its place in the valkey-cli snippet', () => {
  const evil = hostile.join('')
  const facts = { instanceName: evil, host: evil, port: 21000, serverName: evil, caPem: '', username: evil }
  const snippet = connectionInfo(facts).snippets['valkey-cli']
  const argv = ['--tls', '--cacert', 'ca.pem', '--sni', evil, '-h', evil, '-p', '21000', '--user', evil]
  const line = snippet.slice(snippet.indexOf(' valkey-cli ') + ' valkey-cli '.length)
  assert.equal(words(line), argv.map((word) => `<${word}>`).join(''))
  const comment = snippet.slice(0, snippet.indexOf('\nREDISCLI_AUTH='))
  assert.match(comment, /^# [^\n\r]*$/)
})

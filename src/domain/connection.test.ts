import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConnectionFacts, connectionInfo, connectionSchema } from './connection.ts'

const facts: ConnectionFacts = {
  instanceName: 'first',
  host: '127.0.0.1',
  port: 21000,
  serverName: 'srv-1.valkeep.internal',
  caPem: '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n',
  username: 'app',
}
const { username: _, ...anonymous } = facts

test('the answer carries what a client needs and fits its schema', () => {
  const info = connectionInfo(facts)
  assert.deepEqual(connectionSchema.strict().parse(info), info)
  const { snippets, ...rest } = info
  assert.deepEqual(rest, {
    host: '127.0.0.1',
    port: 21000,
    tls: true,
    ca_pem: facts.caPem,
    server_name: 'srv-1.valkeep.internal',
    uri_template: 'rediss://app:{password}@127.0.0.1:21000/0',
    endpoints: [{ role: 'primary', host: '127.0.0.1', port: 21000 }],
  })
  assert.deepEqual(Object.keys(snippets), ['valkey-cli', 'node', 'python', 'go'])
})

test('without a user the URI and the snippets leave the place open', () => {
  const { uri_template, snippets } = connectionInfo(anonymous)
  assert.equal(uri_template, 'rediss://{username}:{password}@127.0.0.1:21000/0')
  for (const snippet of Object.values(snippets)) {
    assert.match(snippet, /VALKEY_USERNAME/)
    assert.match(snippet, /VALKEY_PASSWORD/)
  }
})

test('an IPv6 address is bracketed where it stands before a port, and never sent as a server name', () => {
  const { uri_template, snippets } = connectionInfo({ ...facts, host: '::1', serverName: '::1' })
  assert.equal(uri_template, 'rediss://app:{password}@[::1]:21000/0')
  assert.match(snippets.go, /"\[::1\]:21000"/)
  assert.match(snippets['valkey-cli'], / -h '::1' /)
  assert.match(snippets.node, /host: "::1"/)
  assert.match(snippets.python, /host="::1"/)
  assert.equal(/sni|servername/.test(snippets['valkey-cli'] + snippets.node), false)
})

test('the password is taken from the environment and is no argument of any command', () => {
  const cli = connectionInfo(facts).snippets['valkey-cli']
  assert.match(cli, /^REDISCLI_AUTH="\$VALKEY_PASSWORD" valkey-cli /m)
  assert.equal(/ (-a|--pass|-u) /.test(cli), false)
})

test('text that should never get here still cannot leave its quotes or its comment', () => {
  const evil = `x"'\`$(touch /tmp/pwned)\\\n\r\u2028echo injected #`
  const { snippets } = connectionInfo({ ...facts, instanceName: evil, host: evil, serverName: evil, username: evil })
  for (const language of ['node', 'python', 'go'] as const) {
    const benign = connectionInfo(facts).snippets[language]
    assert.equal(snippets[language].split(/[\n\r\u2028]/).length, benign.split('\n').length, language)
    const literals = [...snippets[language].matchAll(/"(?:[^"\\\n]|\\.)*"/g)].map(([text]) => text)
    assert.ok(
      literals.some((text) => text.includes('pwned') && (JSON.parse(text) as string).startsWith(evil)),
      language,
    )
  }
})

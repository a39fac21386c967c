/** How a client reaches an instance: the answer of GET /valkey-instances/{id}/connection. It holds no secret. */
import { z } from 'zod'
import { shellQuote } from './shell-quote.ts'

/** Schema of the answer, for the API and its reference. */
export const connectionSchema = z
  .object({
    host: z.string().meta({ description: 'Address or name to connect to: the primary', examples: ['127.0.0.1'] }),
    port: z
      .int()
      .min(1)
      .max(65535)
      .meta({ description: 'TLS port of the primary', examples: [21000] }),
    tls: z.literal(true).meta({ description: 'The port speaks TLS only' }),
    ca_pem: z.string().meta({
      description:
        'PEM bundle of the authorities to trust: save it as ca.pem. It may hold several while one replaces another',
    }),
    server_name: z.string().meta({
      description: 'Name in the certificate to verify where the client can be told one; host is in it too',
    }),
    uri_template: z.string().meta({
      description: 'URI to fill in: {password}, and {username} where it still stands, both percent-encoded',
      examples: ['rediss://{username}:{password}@127.0.0.1:21000/0'],
    }),
    endpoints: z
      .array(z.object({ role: z.enum(['primary', 'replica']), host: z.string(), port: z.int().min(1).max(65535) }))
      .meta({ description: 'Every server of the instance, the primary first' }),
    snippets: z
      .object({
        'valkey-cli': z.string().meta({ description: 'Shell command line' }),
        node: z.string().meta({ description: 'ES module for iovalkey' }),
        python: z.string().meta({ description: 'Program for valkey (valkey-py)' }),
        go: z.string().meta({ description: 'Program for valkey-go' }),
      })
      .meta({
        description:
          'Complete, to run where ca.pem lies, with the password in VALKEY_PASSWORD (and, where no user is named, the name in VALKEY_USERNAME)',
      }),
  })
  .meta({ id: 'Connection', description: 'How to connect to an instance' })

export type Connection = z.infer<typeof connectionSchema>

export type ConnectionFacts = {
  instanceName: string
  /** Address or name that clients reach the primary by; the certificate has it. */
  host: string
  port: number
  /** DNS name in the certificate; equal to host where there is none. */
  serverName: string
  caPem: string
  /** The user to connect as; left out: snippets take it from VALKEY_USERNAME, the URI keeps `{username}`. */
  username?: string
}

/** @param facts of an instance of one server; pure, the same answer for the same facts */
export function connectionInfo(facts: ConnectionFacts): Connection {
  const { host, port, serverName, caPem, username } = facts
  const user = username === undefined ? '{username}' : encodeURIComponent(username)
  return {
    host,
    port,
    tls: true,
    ca_pem: caPem,
    server_name: serverName,
    uri_template: `rediss://${user}:{password}@${authorityOf(host, port)}/0`,
    endpoints: [{ role: 'primary', host, port }],
    snippets: {
      'valkey-cli': valkeyCliSnippet(facts),
      node: nodeSnippet(facts),
      python: pythonSnippet(facts),
      go: goSnippet(facts),
    },
  }
}

// valkey-cli takes a password from the environment (REDISCLI_AUTH, facts §7), where argv is open to every user of the machine.
function valkeyCliSnippet({ instanceName, host, port, serverName, username }: ConnectionFacts): string {
  const user = username === undefined ? '"$VALKEY_USERNAME"' : shellQuote(username)
  const sni = isAddress(serverName) ? '' : ` --sni ${shellQuote(serverName)}`
  return `# Instance ${literal(instanceName)}. Password in VALKEY_PASSWORD, ca_pem saved as ca.pem.
REDISCLI_AUTH="$VALKEY_PASSWORD" valkey-cli --tls --cacert ca.pem${sni} -h ${shellQuote(host)} -p ${port} --user ${user}
`
}

function nodeSnippet({ instanceName, host, port, serverName, username }: ConnectionFacts): string {
  const user = username === undefined ? 'process.env.VALKEY_USERNAME' : literal(username)
  // Node verifies host by itself, and refuses an address as a server name (RFC 6066).
  const servername = isAddress(serverName) ? '' : `, servername: ${literal(serverName)}`
  return `// Instance ${literal(instanceName)}. Password in VALKEY_PASSWORD, ca_pem saved as ca.pem.
// npm install iovalkey, save as connect.mjs, node connect.mjs
import { readFileSync } from 'node:fs'
import { Valkey } from 'iovalkey'

const valkey = new Valkey({
  host: ${literal(host)},
  port: ${port},
  username: ${user},
  password: process.env.VALKEY_PASSWORD,
  tls: { ca: readFileSync('ca.pem')${servername} },
})
valkey.on('error', (error) => console.error(error.message))
console.log(await valkey.ping())
await valkey.quit()
`
}

function pythonSnippet({ instanceName, host, port, username }: ConnectionFacts): string {
  const user = username === undefined ? 'os.environ["VALKEY_USERNAME"]' : literal(username)
  return `# Instance ${literal(instanceName)}. Password in VALKEY_PASSWORD, ca_pem saved as ca.pem.
# pip install valkey
import os

import valkey

client = valkey.Valkey(
    host=${literal(host)},
    port=${port},
    username=${user},
    password=os.environ["VALKEY_PASSWORD"],
    ssl=True,
    ssl_ca_certs="ca.pem",
    ssl_check_hostname=True,
    decode_responses=True,
)
print("PONG" if client.ping() else "no answer")
client.close()
`
}

function goSnippet({ instanceName, host, port, serverName, username }: ConnectionFacts): string {
  const user = username === undefined ? 'os.Getenv("VALKEY_USERNAME")' : literal(username)
  // The client's cache needs CLIENT TRACKING, which not every user may call.
  return `// Instance ${literal(instanceName)}. Password in VALKEY_PASSWORD, ca_pem saved as ca.pem.
// go mod init connect && go get github.com/valkey-io/valkey-go, save as main.go, go run .
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"

	"github.com/valkey-io/valkey-go"
)

func main() {
	ca, err := os.ReadFile("ca.pem")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		log.Fatal("ca.pem holds no certificate")
	}
	client, err := valkey.NewClient(valkey.ClientOption{
		InitAddress:  []string{${literal(authorityOf(host, port))}},
		Username:     ${user},
		Password:     os.Getenv("VALKEY_PASSWORD"),
		DisableCache: true,
		TLSConfig:    &tls.Config{RootCAs: roots, ServerName: ${literal(serverName)}, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	answer, err := client.Do(context.Background(), client.B().Ping().Build()).ToString()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer)
}
`
}

function authorityOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function isAddress(host: string): boolean {
  return host.includes(':') || /^\d{1,3}(\.\d{1,3}){3}$/.test(host)
}

/** A string literal in JavaScript, Python and Go alike, on one line whatever the text: it may stand in a comment. */
function literal(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

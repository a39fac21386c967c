/**
 * Who connects to a stack's server verifies its certificate by name and by address, whatever it is written in: OpenSSL 3 and 1.1, this
 * Node and an older one, Python, Go. And refuses it under another name.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { certificateFiles as names } from '../../src/domain/stack/places.ts'
import { requirePart, valkeyBinaries } from '../support/parts.ts'
import { makeStack, pingOverTls, type Stack, type StackServer, startStackServer } from '../support/stack.ts'
import { openssls, run } from '../support/stack-certificates.ts'

let stack: Stack
let server: StackServer
before(async () => {
  const [first] = valkeyBinaries()
  stack = await makeStack()
  server = await startStackServer({ binary: first?.path ?? assert.fail('no Valkey'), stack })
})
after(async () => {
  await server?.stop()
  stack?.remove()
})

const file = (name: keyof typeof names) => join(stack.certs, names[name])
const right = ['valkey', 'localhost', '127.0.0.1']
const wrong = ['other', 'valkey.example.com', 'x.localhost', '127.0.0.2', 'Molis-Valkey-CA']
const isAddress = (name: string) => /^[\d.]+$/.test(name)

/**
 * Runs a program with the port, the files and a name or address: it has to end with 0 once it has verified the server as that and read
 * an answer, and otherwise with 1.
 */
async function each(program: string, args: string[]): Promise<void> {
  const paths = [file('caCert'), file('clientCert'), file('clientKey')]
  for (const name of [...right, ...wrong]) {
    const { status, text } = await run(program, [...args, String(server.port), ...paths, name])
    assert.equal(status, right.includes(name) ? 0 : 1, `${name}: ${text}`)
    assert.match(
      text,
      right.includes(name) ? /NOAUTH/ : /mismatch|does ?n.t match|altnames|not valid for|certificate is valid for/i,
    )
  }
}

test('OpenSSL, new and old', async (t) => {
  for (const program of openssls(t))
    for (const name of [...right, ...wrong]) {
      const paths = ['-CAfile', file('caCert'), '-cert', file('clientCert'), '-key', file('clientKey')]
      const as = [isAddress(name) ? '-verify_ip' : '-verify_hostname', name]
      const at = ['s_client', '-connect', `127.0.0.1:${server.port}`, '-verify_return_error', '-x509_strict']
      const { status, text } = await run(program, [...at, ...paths, ...as])
      assert.equal(status, right.includes(name) ? 0 : 1, `${name}: ${text}`)
      assert.match(text, right.includes(name) ? /Verify return code: 0 \(ok\)/ : /(hostname|IP address) mismatch/i)
    }
})

test('this Node', async () => {
  for (const name of right)
    assert.match(
      await pingOverTls(stack, server.port, isAddress(name) ? { host: name } : { servername: name }),
      /NOAUTH/,
    )
  for (const servername of wrong.filter((name) => !isAddress(name)))
    await assert.rejects(pingOverTls(stack, server.port, { servername }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
})

/** A client in CommonJS that every Node since 10 runs. */
const NODE = `
const fs = require('fs'), tls = require('tls')
const [port, ca, cert, key, name] = process.argv.slice(1)
const read = (path) => fs.readFileSync(path)
const socket = tls.connect({
  host: '127.0.0.1', port, ca: read(ca), cert: read(cert), key: read(key), servername: /^[\\d.]+$/.test(name) ? '' : name,
  checkServerIdentity: (_, certificate) => tls.checkServerIdentity(name, certificate),
})
socket.once('secureConnect', () => socket.write('PING\\r\\n'))
socket.once('data', (chunk) => { console.log(String(chunk)); process.exit(0) })
socket.once('error', (error) => { console.log(error.message); process.exit(1) })
`

/** A Node on PATH that is older than this one; npm's own packages are not meant. */
function olderNode(): string | undefined {
  const dirs = (process.env['PATH'] ?? '').split(delimiter).filter((dir) => !dir.includes('node_modules'))
  return dirs
    .map((dir) => join(dir, 'node'))
    .find((program) => {
      try {
        const version = execFileSync(program, ['--version'], { encoding: 'utf8' })
        return Number(/^v(\d+)/.exec(version)?.[1]) < Number(process.versions.node.split('.')[0])
      } catch {
        return false
      }
    })
}

test('an older Node', async (t) => {
  const program = olderNode()
  if (program === undefined) return t.skip('SKIPPED: there is no older Node on PATH')
  await each(program, ['-e', NODE])
})

const PYTHON = `
import socket, ssl, sys
port, ca, cert, key, name = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.verify_flags |= ssl.VERIFY_X509_STRICT
context.load_cert_chain(cert, key)
try:
    with socket.create_connection(("127.0.0.1", int(port)), 10) as plain:
        with context.wrap_socket(plain, server_hostname=name) as tls:
            tls.sendall(b"PING\\r\\n")
            print(tls.recv(100))
except ssl.SSLCertVerificationError as error:
    print(error)
    sys.exit(1)
`

test('Python', async (t) => {
  const program = requirePart(t, 'python')
  if (program !== undefined) await each(program, ['-c', PYTHON])
})

const GO = `package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

func main() {
	pem, _ := os.ReadFile(os.Args[2])
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	pair, err := tls.LoadX509KeyPair(os.Args[3], os.Args[4])
	if err != nil {
		panic(err)
	}
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: os.Args[5]}
	connection, err := tls.Dial("tcp", "127.0.0.1:"+os.Args[1], config)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	connection.Write([]byte("PING\\r\\n"))
	answer := make([]byte, 100)
	count, _ := connection.Read(answer)
	fmt.Println(string(answer[:count]))
}
`

test('Go', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'valkeep-go-'))
  try {
    writeFileSync(join(dir, 'main.go'), GO)
    const built = await run('env', [...goEnv, 'go', 'build', '-o', join(dir, 'client'), join(dir, 'main.go')])
    if (built.status === 127) return t.skip('SKIPPED: there is no Go on PATH')
    assert.equal(built.status, 0, built.text)
    await each(join(dir, 'client'), [])
  } finally {
    rmSync(dir, { recursive: true })
  }
})

/** One file of the standard library alone: nothing is fetched. */
const goEnv = ['GO111MODULE=off', 'GOTOOLCHAIN=local', 'GOFLAGS=', 'GOPROXY=off']

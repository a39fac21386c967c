/** What `stack check` says a server would refuse, a real one refuses, and what it takes, it takes: each version at hand is asked. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { AclTextProblem } from '../../src/domain/stack/check/acl-text.ts'
import { readAclText } from '../../src/domain/stack/check/acl-text.ts'
import { judgeConf } from '../../src/domain/stack/check/conf.ts'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { names } from '../support/stack-check.ts'

// Short: a socket lies in it.
const dirs = mkdtempSync('/tmp/vk-refuse-')
after(() => rmSync(dirs, { recursive: true }))

/** Starts a server on a file in a directory of its own. @returns whether it came up; it is gone again in any case */
function starts(binary: string, file: 'acl' | 'conf', text: string): Promise<boolean> {
  const dir = mkdtempSync(join(dirs, 's-'))
  writeFileSync(join(dir, file), text)
  const own = ['--port', '0', '--unixsocket', join(dir, 's'), '--dir', dir, '--save', '']
  const args = file === 'acl' ? [...own, '--aclfile', join(dir, file)] : [join(dir, file), ...own]
  return new Promise((resolve) => {
    const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: 20_000 })
    let log = ''
    let isUp = false
    child.stdout.on('data', (chunk: Buffer) => {
      log += chunk.toString()
      if (isUp || !/ready to accept connections/i.test(log)) return
      isUp = true
      child.kill('SIGKILL')
    })
    child.once('close', () => resolve(isUp))
  })
}

const digest = '0123456789abcdef'.repeat(4)
const off = 'user default off -@all\n'
const a = `user a on #${digest} ~a:* +@all`

const files: [text: string, kind: AclTextProblem['kind'] | null][] = [
  [`${off}${a}\n`, null],
  [`${off}${a}`, null],
  [`\r\n  ${off}\t${a} \r\n\r\n`, null],
  [`user default  off -@ALL\nuser a ON #${digest}  ALLKEYS\n`, null],
  [`${off}user a on sanitize-payload %R~x %rw~y &x resetchannels (~b +get) +client|setname\n`, null],
  [`${off}user a on +get|x\n`, null],
  [`${off}user b.c\n`, null],
  [a, null],
  ['', null],
  [`# x\n${off}`, 'refused'],
  [`\ufeff${off}`, 'refused'],
  [`USER default off\n`, 'refused'],
  [`user\tdefault off\n`, 'refused'],
  [`user  default off\n`, 'refused'],
  [`${off}user\n`, 'refused'],
  [`${off}${a}\n${a}\n`, 'refused'],
  [`${off}user a on word\n`, 'refused'],
  [`${off}user a on *\n`, 'refused'],
  [`${off}user a on %~x\n`, 'refused'],
  [`${off}user a on #${'AB'.repeat(32)}\n`, 'refused'],
  [`${off}user a on #abc\n`, 'refused'],
  [`${off}user a on +nosuch\n`, 'refused'],
  [`${off}user a on -@nosuch\n`, 'refused'],
  [`${off}user a on -client|nosuch\n`, 'refused'],
  [`${off}user a allkeys ~x\n`, 'refused'],
  [`${off}user a allchannels &x\n`, 'refused'],
  [`${off}user a on (~x +get\n`, 'refused'],
  [`${off}user a on (~x word)\n`, 'refused'],
  [`${off}user a on >password\n`, 'plain'],
  [`${off}user a reset on\n`, 'odd'],
]

const lines: [line: string, starts: boolean][] = [
  ['maxclients 100', true],
  ['maxclients 100\r', true],
  ['rename-command KEYS "a #b"', true],
  ['maxclients 100 # x', false],
  ['save 900 1 # x', false],
  ['rename-command KEYS "" # x', false],
  ['tls-protocols "TLSv1.2" #x', false],
  ['logfile "x', false],
  ['maxclients', false],
  ['\ufeffmaxclients 100', false],
  ['rename-command KEYS ""\nrename-command KEYS ""', false],
]

const refusal = /the server does not start on it$/

for (const { version, path } of valkeyBinaries()) {
  test(`ACL files, Valkey ${version}`, async () => {
    for (const [text, kind] of files) {
      const read = readAclText(text)
      assert.equal('problem' in read ? read.problem.kind : null, kind, JSON.stringify(text))
      assert.equal(await starts(path, 'acl', text), kind !== 'refused', JSON.stringify(text))
    }
  })

  test(`configuration files, Valkey ${version}`, async () => {
    for (const [line, isTaken] of lines) {
      const said = judgeConf(defaultSpec(), `${line}\n`, names).some(({ detail }) => refusal.test(detail))
      assert.equal(said, !isTaken, line)
      assert.equal(await starts(path, 'conf', `${line}\n`), isTaken, line)
    }
  })
}

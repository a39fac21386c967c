import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Finding } from '../domain/finding.ts'
import * as checks from './doctor-checks.ts'

const statuses = (findings: Finding[]) => findings.map((finding) => finding.status)

test('whatever is not well comes with what to do', () => {
  const findings = [
    checks.judgeNode('v22.1.0'),
    checks.judgeServer(null, ''),
    checks.judgeServer('/bin/redis-server', 'Redis server v=7.0.15 sha=0'),
    checks.judgeServer('/bin/valkey-server', 'Valkey server v=7.2.5 sha=0'),
    checks.judgeCli(null, ''),
    checks.judgePrivate('x', { path: '/d', uid: 1, mode: 0o700 }, 0, ''),
    checks.judgePrivate('x', { path: '/d', uid: 0, mode: 0o740 }, 0, ''),
    checks.judgePrivate('x', { path: '/d', uid: 'unseen', mode: 0 }, 0, ''),
    checks.judgePort('127.0.0.1', 7070, 'EADDRINUSE', null),
    checks.judgePort('127.0.0.1', 80, 'EACCES', null),
    checks.judgePortRange(21000, 40000, '32768\t60999\n'),
    checks.judgeOpenFiles('Max open files            1024                 4096                 files'),
    checks.judgeOvercommit('0\n'),
    checks.judgeHugePages('[always] madvise never\n'),
    checks.judgeDisk('/', 2 ** 20),
    checks.judgeDisk('/', 2 ** 29),
    checks.judgeClock(0, null),
    checks.judgeClock(Date.UTC(2026, 5), Date.UTC(2026, 6)),
  ]
  for (const finding of findings) assert.ok(finding.status !== 'ok' && finding.fix, JSON.stringify(finding))
  const failing = [
    'fail',
    'fail',
    'fail',
    'fail',
    'warn',
    'fail',
    'fail',
    'fail',
    'fail',
    'fail',
    'warn',
    'warn',
    'warn',
    'warn',
    'fail',
    'warn',
    'fail',
    'fail',
  ]
  assert.deepEqual(statuses(findings), failing)
})

test('what is well is said to be', () => {
  const findings = [
    checks.judgeNode('v24.21.0'),
    checks.judgeServer('/bin/valkey-server', 'Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64'),
    checks.judgeCli('/bin/valkey-cli', 'valkey-cli 8.0.1'),
    checks.judgePrivate('x', { path: '/d', uid: 0, mode: 0o40700 }, 0, ''),
    checks.judgePrivate('x', null, 0, 'not yet'),
    checks.judgePort('127.0.0.1', 7070, null, null),
    checks.judgePort('127.0.0.1', 7070, null, 4711),
    checks.judgePortRange(21000, 28999, '32768\t60999\n'),
    checks.judgeOpenFiles('Max open files            1024                 524288               files'),
    checks.judgeOpenFiles('Max open files            unlimited            unlimited            files'),
    checks.judgeOvercommit('1\n'),
    checks.judgeHugePages('always [madvise] never\n'),
    checks.judgeDisk('/', 2 ** 33),
    checks.judgeClock(Date.UTC(2026, 5), Date.UTC(2026, 4)),
  ]
  for (const finding of findings) assert.deepEqual([finding.status, finding.fix], ['ok', null], JSON.stringify(finding))
})

test('versions are found in what the programs print', () => {
  assert.equal(checks.valkeyVersion('Valkey server v=8.1.1 sha=1'), '8.1.1')
  assert.equal(checks.valkeyVersion('valkey-cli 9.1.2 (git:0)'), '9.1.2')
  assert.equal(checks.valkeyVersion('redis-cli 7.0.15'), null)
  assert.equal(checks.valkeyVersion(''), null)
})

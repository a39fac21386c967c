import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertFindings, type Expected, names } from '../../../../test/support/stack-check.ts'
import { defaultSpec } from '../default-spec.ts'
import type { StackSpec } from '../spec.ts'
import { imageVersion, judgeSpec } from './advice.ts'

const spec = defaultSpec()

test('room for a save', () => {
  const of = (maxmemory_mb: number): StackSpec => ({ ...spec, server: { ...spec.server, maxmemory_mb } })
  assertFindings(judgeSpec(of(384), names), [], '75%')
  const expected: Expected[] = [
    [
      'warn',
      'stack.yaml memory',
      /450 MB of the container’s 512 MB \(88%\)/,
      /memory_mb: 600, or server\.maxmemory_mb: 384/,
    ],
  ]
  assertFindings(judgeSpec(of(450), names), expected, '88%')
})

test('root as the user of the server', () => {
  const of = (user: string): StackSpec => ({ ...spec, service: { ...spec.service, user } })
  for (const user of ['0:0', '00:1000'])
    assertFindings(
      judgeSpec(of(user), names),
      [['fail', 'stack.yaml user', / is root: /, /service\.user: "999:1000"\. Then, as root, valkeep stack init/]],
      user,
    )
  assertFindings(judgeSpec(of('999:0'), names), [], 'group')
})

test('engine and image', () => {
  const of = (engine: string, image: string): StackSpec => ({ ...spec, engine, service: { ...spec.service, image } })
  const newer: Expected[] = [
    ['warn', 'stack.yaml engine', /newer than engine 8\.0: commands that came since are under no rule/],
  ]
  const older: Expected[] = [['warn', 'stack.yaml engine', /older than engine/]]
  const unnamed: Expected[] = [['warn', 'stack.yaml engine', /no version in its tag/]]
  const cases: [engine: string, image: string, expected: Expected[]][] = [
    ['8.0', 'valkey/valkey:8-alpine', []],
    ['8.0', 'valkey/valkey:8.1.1-alpine', []],
    ['8.1', 'r.example:5000/valkey:8.1', []],
    ['8.0', 'valkey/valkey@sha256:8abc', []],
    ['8.0', 'valkey/valkey:8@sha256:8abc', []],
    ['8.0', 'valkey/valkey:9-alpine', newer],
    ['8.0', 'valkey/valkey:9@sha256:8abc', newer],
    ['9.0', 'valkey/valkey:8-alpine', older],
    ['8.1', 'valkey/valkey:8.0', older],
    ['8.0', 'valkey/valkey:latest', unnamed],
    ['8.0', 'valkey/valkey', unnamed],
    ['8.0', 'r.example:5000/valkey', unnamed],
  ]
  for (const [engine, image, expected] of cases)
    assertFindings(judgeSpec(of(engine, image), names), expected, `${engine} ${image}`)
  assert.deepEqual(imageVersion('valkey:v8.1-rc1'), { major: 8, minor: 1 })
})

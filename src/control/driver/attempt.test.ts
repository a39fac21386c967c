import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { InstanceSpec, ServerObservation } from '../../domain/plan/spec.ts'
import type { NodeAgent } from '../../domain/ports/node-agent.ts'
import { type AttemptDeps, attempt } from './attempt.ts'

const id = `srv_${'1'.repeat(32)}`
const spec: InstanceSpec = {
  instanceId: `ins_${'1'.repeat(32)}`,
  desired: 'running',
  everActive: false,
  accept: { data: null },
  servers: [
    {
      handle: { id, adminRef: '' },
      nodeId: 'n',
      ignoreUsers: [],
      plan: {
        id,
        conf: [],
        acl: [],
        tls: { certPem: '', caPem: '', keyRef: '', fingerprint: '' },
        engine: { version: '8.0.1', binary: '/valkey-server' },
        listen: { host: '127.0.0.1', port: 1 },
        limits: { memoryMb: 1 },
      },
    },
  ],
}
const nothing: ServerObservation = {
  files: null,
  data: { kind: 'empty' },
  process: null,
  port: 'free',
  live: null,
  silent: null,
  binaryVersion: '8.0.1',
}

/** An agent whose starts load for as long as they are waited for. */
const loading = (onStart: () => void): Pick<NodeAgent, 'observe' | 'execute'> => ({
  observe: async () => nothing,
  execute: (step, signal, beat) =>
    new Promise((resolve, reject) => {
      if (step.kind !== 'start') return resolve()
      signal.addEventListener('abort', () => reject(signal.reason))
      onStart()
      beat({ message: 'loading' })
    }),
})

it('leaves a start that loads as soon as something else is asked for', async () => {
  let changed = false
  const agent = loading(() => {
    changed = true
  })
  const deps: AttemptDeps = {
    agent: () => agent as NodeAgent,
    slot: (work) => work(),
    failpoint: () => undefined,
    timeoutMs: 1_000,
  }
  const ends: (string | null)[] = []
  const begin = () => (error: string | null) => {
    ends.push(error)
  }
  const result = await attempt(deps, spec, () => changed, begin, new AbortController().signal)
  assert.equal(result.state, 'stale')
  assert.deepEqual(ends, [null, null], 'no step failed')
})

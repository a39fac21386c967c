/** Instances of a platform under measurement, made and removed through its API. */
import type { OperationStep } from '../../src/domain/model/operation.ts'
import type { Up } from './home.ts'

export const appPassword = 'plum-anvil-quartz-77'

export type OperationView = {
  id: string
  status: string
  cause: unknown
  created_at: string
  started_at: string
  finished_at: string
  steps: { kind: OperationStep['kind']; started_at: string; finished_at: string }[]
}

/** What is timed: from the request until the platform says that the operation succeeded. */
export type Created = { id: string; postMs: number; totalMs: number; operation: OperationView }

export async function createInstance(up: Up, name: string): Promise<Created> {
  const users = [{ username: 'app', password: appPassword, privileges: ['read-write'] }]
  const startedAt = performance.now()
  const answer = await up.call<{ id: string }>('POST', `/tenants/${up.tenantId}/valkey-instances`, {
    body: { name, max_memory_mb: 16, users },
  })
  const postMs = performance.now() - startedAt
  const operation = await settled(up, answer)
  return { id: answer.body.id, postMs, totalMs: performance.now() - startedAt, operation }
}

/** Waits for the operation that an answer names. @throws where it does not succeed */
export async function settled(up: Up, answer: { headers: Headers; text: string }): Promise<OperationView> {
  const location = answer.headers.get('location')
  if (location === null) throw new Error(answer.text)
  const { body } = await up.call<OperationView>('GET', `${location}/wait?timeout_s=120`)
  if (body.status !== 'succeeded') throw new Error(`${body.status}: ${JSON.stringify(body.cause)}`)
  return body
}

export async function deleteInstance(up: Up, id: string): Promise<void> {
  await settled(up, await up.call('DELETE', `/valkey-instances/${id}`))
}

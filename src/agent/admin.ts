/** Connections as the platform's admin, and what their failures mean to a step. */
import { PLATFORM_USERS } from '../domain/acl/tenant-user.ts'
import { StepError } from '../domain/plan/step-error.ts'
import type { ServerHandle } from '../domain/plan/spec.ts'
import type { Runtime } from '../domain/ports/runtime.ts'
import type { ReadSecret } from '../domain/ports/secrets.ts'
import { connect, type ValkeyAddress, type ValkeyConnection } from '../valkey/client.ts'
import { ValkeyRefused, ValkeyReplyError, ValkeyTimeout, ValkeyUnreachable, ValkeyUntrusted } from '../valkey/errors.ts'

export type AgentDeps = {
  runtime: Runtime
  readSecret: ReadSecret
  /** Deadline of each connect and each command: a stopped process never holds an observation up. */
  callMs: number
}

/** Connects to a server over its own socket, or over `address`, and authenticates as the platform's admin. */
export async function connectAdmin(
  deps: AgentDeps,
  server: ServerHandle,
  address?: ValkeyAddress,
): Promise<ValkeyConnection> {
  const socket = address ?? { path: deps.runtime.layout(server.id).socket }
  const password = await deps.readSecret(server.adminRef)
  return connect({ socket, username: PLATFORM_USERS.admin, password, timeoutMs: deps.callMs })
}

/** A step's failure as a cause for people: codes that stay the same whatever the layer below calls it. */
export function stepErrorOf(error: unknown): unknown {
  if (error instanceof ValkeyTimeout) return new StepError('silent', `the server does not answer: ${error.message}`)
  if (error instanceof ValkeyUnreachable)
    return new StepError('unreachable', `the server cannot be reached: ${error.message}`)
  if (error instanceof ValkeyUntrusted) return new StepError('tls-unreachable', error.message)
  if (error instanceof ValkeyReplyError) return new StepError('engine-refused', `the server refuses: ${error.message}`)
  if (error instanceof ValkeyRefused)
    return new StepError('admin-refused', `${error.message} of the platform’s admin`, {
      remedy: 'somebody changed the users of this server: stop the instance and start it again to restore them',
    })
  return fileError(error) ?? error
}

/** Errors of the operating system name a path and no content. */
function fileError(error: unknown): StepError | undefined {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (!(error instanceof Error) || typeof code !== 'string' || syscall === undefined) return undefined
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new StepError('disk-full', message, { remedy: 'free space on the node, then retry' })
  return new StepError('node-refused', message, { remedy: 'look at the owner and the modes of that path' })
}

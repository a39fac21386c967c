/** What differs by meaning between a server's plan and its files and users. */
import type { AclUser } from '../acl/acl-user.ts'
import { sameAclUser } from '../acl/same.ts'
import { diffConf } from '../conf/same.ts'
import type { ServerObservation, ServerSpec } from './spec.ts'
import type { FilePart, Step, StepBase } from './step.ts'

/** The write-files step, where a file differs by meaning. The aclfile of a running server is its own to write. */
export function writeFiles(server: ServerSpec, seen: ServerObservation, base: StepBase): Step[] {
  const { files } = seen
  const parts: FilePart[] = []
  if (!files || diffConf(server.plan.conf, files.conf, null).file) parts.push('conf')
  if (!seen.process && !sameUsers(server, files?.acl ?? null)) parts.push('acl')
  const { tls } = server.plan
  if (files?.certFingerprint !== tls.fingerprint || !files.keyFits || files.caPem !== tls.caPem) parts.push('tls')
  if (files && files.tooOpen.length > 0) parts.push('modes')
  return parts.length > 0 ? [{ ...base, kind: 'write-files', plan: server.plan, parts }] : []
}

/** Users to set again and names to remove, by meaning. */
export function userChanges(server: ServerSpec, acl: AclUser[]) {
  const ignored = new Set(server.ignoreUsers)
  const have = new Map(acl.map((user) => [user.name, user]))
  const wanted = new Set(server.plan.acl.map((user) => user.name))
  const change = server.plan.acl.filter((user) => {
    const is = have.get(user.name)
    return !ignored.has(user.name) && !(is && sameAclUser(user, is))
  })
  const remove = acl.map((user) => user.name).filter((name) => !wanted.has(name) && !ignored.has(name))
  return { change, remove }
}

export function sameUsers(server: ServerSpec, acl: AclUser[] | null): boolean {
  if (!acl) return false
  const { change, remove } = userChanges(server, acl)
  return change.length === 0 && remove.length === 0
}

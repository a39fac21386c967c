/** Plans of servers for tests: the platform's own configuration, users and certificates, made without a store. */
import { createHash, randomBytes } from 'node:crypto'
import type { AclUser } from '../../src/domain/acl/acl-user.ts'
import { platformUsers } from '../../src/domain/acl/tenant-user.ts'
import type { Directive } from '../../src/domain/conf/directive.ts'
import { managedConf } from '../../src/domain/conf/managed.ts'
import { overlay } from '../../src/domain/conf/render.ts'
import type { ServerHandle } from '../../src/domain/plan/spec.ts'
import type { ReadSecret } from '../../src/domain/ports/secrets.ts'
import type { Engine, ServerLayout, ServerPlan } from '../../src/domain/server-plan.ts'
import { createAuthority, makeIssuer } from '../../src/vault/authority.ts'
import { freePort } from './free-port.ts'

export const adminPassword = 'correct-horse-battery-staple'
export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

export type TestPlan = { plan: ServerPlan; handle: ServerHandle; key: string; readSecret: ReadSecret }

export type PlanMaker = {
  caPem: string
  /** A plan for a fresh id and a free port. */
  make(options?: {
    users?: AclUser[]
    extra?: Directive[]
    id?: string
    port?: number
    engine?: Engine
  }): Promise<TestPlan>
  /** The same plan with a certificate of its own, from the same authority. */
  renew(of: TestPlan): Promise<TestPlan>
}

export const newServerId = () => `srv_${randomBytes(16).toString('hex')}`

export const tenantUser = (name: string, password: string, commands: string[]): AclUser => ({
  name,
  on: true,
  nopass: false,
  passwords: [sha256(password)],
  commands,
  keys: ['~*'],
  channels: [],
  selectors: [],
})

/** One authority for all plans made by it. */
export async function makePlans(engine: Engine, layout: (id: string) => ServerLayout): Promise<PlanMaker> {
  const authority = await createAuthority({
    subject: [{ type: 'CN', value: 'Test CA' }],
    notBefore: new Date(Date.now() - 60_000),
    days: 2,
  })
  const issuer = await makeIssuer(authority)
  const issue = () =>
    issuer.issue({
      subject: [{ type: 'CN', value: 'valkey' }],
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
      now: new Date(),
      days: 1,
    })
  const withCertificate = async (plan: Omit<ServerPlan, 'tls'>): Promise<TestPlan> => {
    const { certPem, keyPem, fingerprint } = await issue()
    const secrets = new Map([
      ['sec_key', keyPem],
      ['sec_admin', adminPassword],
    ])
    return {
      plan: { ...plan, tls: { certPem, caPem: authority.certPem, keyRef: 'sec_key', fingerprint } },
      handle: { id: plan.id, adminRef: 'sec_admin' },
      key: keyPem,
      readSecret: async (ref) => {
        const secret = secrets.get(ref)
        if (secret === undefined) throw new Error(`no secret ${ref}`)
        return secret
      },
    }
  }
  return {
    caPem: authority.certPem,
    async make(options = {}) {
      const id = options.id ?? newServerId()
      const listen = { host: '127.0.0.1', port: options.port ?? (await freePort()) }
      const used = options.engine ?? engine
      const conf = managedConf({ layout: layout(id), listen, maxMemoryMb: 64, settings: {}, version: used.version })
      const users = platformUsers({
        adminSha256: sha256(adminPassword),
        replicationSha256: sha256('replication'),
        monitorSha256: sha256('monitor'),
      })
      return withCertificate({
        id,
        conf: overlay(conf, options.extra ?? []),
        acl: [...users, ...(options.users ?? [])],
        engine: used,
        listen,
        limits: { memoryMb: 64 },
      })
    },
    renew: ({ plan }) => withCertificate(plan),
  }
}

import { z } from 'zod'
import { userFor } from '../../control/access.ts'
import { explainUser, probesFor } from '../../domain/acl/explain.ts'
import { tenantAclUser } from '../../domain/acl/tenant-user.ts'
import { idSchema } from '../../domain/model/common.ts'
import type { Server } from '../../domain/model/server.ts'
import type { User } from '../../domain/model/user.ts'
import { Problem } from '../../domain/problem.ts'
import { serversOfInstances } from '../../store/servers.ts'
import { actorOf } from '../authenticate.ts'
import type { Api, RouteDeps } from '../deps.ts'
import { idParams, routeSchema } from '../schema.ts'

const effectiveView = z
  .object({
    user_id: idSchema('user'),
    username: z.string(),
    generation: z.int().meta({ description: 'The generation explained: the one that is served' }),
    connect: z.boolean().meta({ description: 'A client library gets through its handshake' }),
    keys: z.array(z.string()),
    channels: z.array(z.string()),
    families: z.array(z.object({ family: z.string(), allowed: z.int(), total: z.int() })),
    allowed: z
      .array(z.string())
      .meta({ description: 'Commands as the server itself judges them', examples: [['GET']] }),
    denied: z.array(z.object({ command: z.string(), reason: z.string() })),
    notes: z.array(z.string()),
  })
  .meta({ id: 'EffectivePermissions', description: 'What a user can do, proven by ACL DRYRUN on its server' })

/** The explanation needs to know that there is a password, not which. */
const somePassword = '0'.repeat(64)

async function explain(deps: RouteDeps, user: User, server: Server, engineVersion: string) {
  const agent = deps.agent(server.nodeId)
  if (agent === undefined) throw new Problem('unavailable', "The node's agent cannot be reached.")
  const acl = tenantAclUser({
    username: user.username,
    passwordSha256s: [somePassword],
    privileges: user.privileges,
    keyPattern: user.keyPattern,
    channelPattern: user.channelPattern,
  })
  const probes = probesFor(acl, engineVersion)
  const handle = { id: server.id, adminRef: server.adminSecretId }
  const asked = probes.map((probe) => probe.words)
  const answers = await agent.dryRun(handle, user.username, asked).catch((error: unknown) => {
    deps.log.warn({ err: error, serverId: server.id }, 'ACL DRYRUN could not be asked')
    throw new Problem('unavailable', 'The server does not answer.')
  })
  const verdicts = probes.map((probe, index) => {
    const answer = answers[index]
    if (answer === undefined) throw new Error(`${probes.length} questions, ${answers.length} answers`)
    return { probe, reply: answer.allowed ? 'OK' : answer.reason }
  })
  return explainUser(acl, verdicts)
}

/** GET /valkey-users/{id}/effective */
export function effectiveRoute(app: Api, deps: RouteDeps): void {
  app.get(
    '/valkey-users/:id/effective',
    {
      config: { scope: 'valkey:read' },
      schema: routeSchema({
        tag: 'users',
        summary: 'What a user can do, proven by its server',
        params: idParams('user'),
        answers: { 200: effectiveView },
        problems: ['wrong-state'],
      }),
    },
    async (request, reply) => {
      const { user, instance, server } = await deps.store.read(async (db) => {
        const found = await userFor(db, actorOf(request), request.params.id)
        const [server] = await serversOfInstances(db, [found.instance.id])
        return { ...found, server }
      })
      if (user.observedGeneration !== user.generation || user.status !== 'active') {
        throw new Problem('wrong-state', `The user is ${user.status}; ask again when it is active.`)
      }
      if (server === undefined || instance.desiredState !== 'running') {
        throw new Problem('wrong-state', 'The instance does not run.')
      }
      const explanation = await explain(deps, user, server, instance.engineVersion)
      return reply.send({ user_id: user.id, username: user.username, generation: user.generation, ...explanation })
    },
  )
}

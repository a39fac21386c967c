import { path } from './api-client.ts'
import { apiCommand, type TenantFlags, textFlag } from './command.ts'
import { CliError, exitCodes } from './exit-code.ts'
import { findLocalPlatform } from './local-platform.ts'
import { tenantId } from './resolve.ts'
import type { Session } from './session.ts'
import { details, table } from './text.ts'
import type { InstanceView, NodeView } from './views.ts'

const shownAtMost = 1000

/** Rows that the key may see; none where it may not. */
async function visible<T>(session: Session, path: string): Promise<T[]> {
  try {
    return (await session.client.list<T>(path, {}, shownAtMost)).items
  } catch (error) {
    if (error instanceof CliError && error.exitCode === exitCodes.denied) return []
    throw error
  }
}

/** How many rows have each value, most frequent first. */
export function tally(values: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a))
}

export const statusCommand = apiCommand<TenantFlags>({
  brief: 'Show whether the platform runs and how its instances are',
  description: 'Ends with 3 where no platform can be reached.',
  flags: { tenant: textFlag('NAME|ID', 'Only the instances of this tenant (VALKEEP_TENANT; default: all)') },
  run: async (session, flags) => {
    const { client, context } = session
    const tenant = flags.tenant ?? context.defaults.tenant
    const from =
      tenant === undefined ? '/valkey-instances' : path`/tenants/${await tenantId(session, tenant)}/valkey-instances`
    const { items: instances, more } = await client.list<InstanceView>(from, {}, shownAtMost)
    const nodes = await visible<NodeView>(session, '/nodes')
    const local =
      (flags.api ?? context.defaults.api) === undefined ? findLocalPlatform(flags.home ?? context.defaults.home) : null
    const summary = {
      url: client.url,
      ...(local === null ? {} : { pid: local.pid, home: flags.home ?? context.defaults.home }),
      instances: `${instances.length}${more ? '+' : ''}`,
      status: tally(instances.map((row) => row.status)),
      health: tally(instances.map((row) => row.health)),
    }
    const troubled = instances.filter((row) => row.status === 'failed' || row.health === 'unhealthy')
    const memory = nodes.map(({ name, reserved_mb, capacity_mb }) => ({ name, reserved_mb, capacity_mb }))
    const json = {
      ...summary,
      instances: instances.length,
      has_more: more,
      nodes: memory,
      troubled: troubled.map((row) => row.id),
    }
    session.show(json, () => {
      const columns = [
        { title: 'NAME', value: (row: InstanceView) => row.name },
        { title: 'STATUS', value: (row: InstanceView) => row.status },
        { title: 'HEALTH', value: (row: InstanceView) => row.health },
        { title: 'MESSAGE', value: (row: InstanceView) => row.status_message },
      ]
      const reserved = Object.fromEntries(
        memory.map((node) => [node.name, `${node.reserved_mb} of ${node.capacity_mb} MB reserved`]),
      )
      const trouble = troubled.length === 0 ? '' : `\n${table(troubled, columns)}`
      return details({ ...summary, ...(memory.length === 0 ? {} : { nodes: reserved }) }) + trouble
    })
  },
})

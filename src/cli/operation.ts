import { path } from './api-client.ts'
import {
  apiCommand,
  args,
  argument,
  group,
  integer,
  type ListFlags,
  limitFlag,
  type TenantFlags,
  tenantFlag,
  textFlag,
} from './command.ts'
import { withNext } from './next-step.ts'
import { assertSucceeded, follow, hasEnded, stepLine } from './operation-report.ts'
import { findInstance } from './resolve.ts'
import type { ConnectionFlags, Session } from './session.ts'
import { age, details } from './text.ts'
import type { OperationView } from './views.ts'

const operation = argument('OPERATION', 'Id, such as op_…')

const unknown = { 'not-found': 'What there is: valkeep operation list' }

const read = (session: Session, id: string) =>
  withNext(session.client.get<OperationView>(path`/operations/${id}`), unknown)

export const operationCommands = group('Asynchronous changes and their steps', {
  list: apiCommand<TenantFlags & ListFlags & { instance?: string; status?: string }>({
    brief: 'List operations, newest first',
    flags: {
      limit: limitFlag,
      instance: textFlag('INSTANCE', 'Only those of this instance (name or id)'),
      status: textFlag('STATUS', 'Only those that are pending, running, succeeded, failed, cancelled or superseded'),
      tenant: tenantFlag,
    },
    run: async (session, flags) => {
      const of =
        flags.instance === undefined ? undefined : (await findInstance(session, flags.instance, flags.tenant)).id
      const query = { instance_id: of, status: flags.status }
      const { items, more } = await session.client.list<OperationView>('/operations', query, flags.limit)
      const columns = [
        { title: 'ID', value: (row: OperationView) => row.id },
        { title: 'KIND', value: (row: OperationView) => row.kind },
        { title: 'STATUS', value: (row: OperationView) => row.status },
        { title: 'INSTANCE', value: (row: OperationView) => row.instance_id },
        { title: 'ATTEMPTS', value: (row: OperationView) => row.attempts },
        { title: 'AGE', value: (row: OperationView) => age(row.created_at) },
        // Of a repair the note says why the platform began it.
        { title: 'CAUSE', value: (row: OperationView) => row.cause?.message ?? row.note },
      ]
      session.showTable(items, columns, { more })
    },
  }),
  get: apiCommand<ConnectionFlags, [string]>({
    brief: 'Show an operation with its steps',
    positional: args(operation),
    run: async (session, _, id) => {
      const operation = await read(session, id)
      const { steps, ...rest } = operation
      const lines = steps.map((step) => `  ${stepLine(step)}\n`)
      session.show(operation, () => details({ ...rest, steps: steps.length }) + lines.join(''))
    },
  }),
  wait: apiCommand<ConnectionFlags & { timeout: number }, [string]>({
    brief: 'Wait until an operation is done',
    description: 'Ends with 0 where it succeeded, 1 where it failed, 7 where it is not done in time.',
    positional: args(operation),
    flags: {
      timeout: {
        kind: 'parsed',
        parse: integer,
        default: '300',
        placeholder: 'SECONDS',
        brief: '<SECONDS> How long to wait at most',
      },
    },
    run: async (session, flags, id) => {
      const now = await read(session, id)
      if (hasEnded(now)) assertSucceeded(now)
      session.showDetails(hasEnded(now) ? now : await follow(session, id, `Waiting for ${now.kind}`, flags.timeout))
    },
  }),
  cancel: apiCommand<ConnectionFlags, [string]>({
    brief: 'Cancel an operation where that is still possible',
    positional: args(operation),
    run: async (session, _, id) => {
      const sent = session.client.send<OperationView>('POST', path`/operations/${id}/cancel`)
      const next = { ...unknown, 'wrong-state': `Look at it: valkeep operation get ${id}` }
      session.showDetails((await withNext(sent, next)).body)
    },
  }),
})

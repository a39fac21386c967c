import assert from 'node:assert/strict'
import { it } from 'node:test'
import { lifecycleEvents, nextStatus, transition } from './lifecycle.ts'
import { statuses } from './model/status.ts'

it('has exactly the ways of the design', () => {
  const ways = statuses.flatMap((from) =>
    lifecycleEvents.flatMap((event) => {
      const to = nextStatus(from, event)
      return to === undefined ? [] : [`${from} -${event}-> ${to}`]
    }),
  )
  assert.deepEqual(ways.toSorted(), [
    'active -begin-> provisioning',
    'active -delete-> deleting',
    'deleting -begin-> deleting',
    'deleting -give-up-> failed',
    'deleting -vanish-> deleted',
    'failed -begin-> provisioning',
    'failed -delete-> deleting',
    'pending -begin-> provisioning',
    'pending -delete-> deleting',
    'pending -give-up-> failed',
    'provisioning -begin-> provisioning',
    'provisioning -converge-> active',
    'provisioning -delete-> deleting',
    'provisioning -give-up-> failed',
  ])
})

it('can always be deleted, but for what is on its way out already', () => {
  const undeletable = statuses.filter((from) => nextStatus(from, 'delete') === undefined)
  assert.deepEqual(undeletable, ['deleting', 'deleted'])
})

it('refuses a way that is none', () => {
  assert.throws(() => transition('deleted', 'begin'), /no way from deleted by begin/)
})

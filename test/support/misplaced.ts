/** A body that is refused for holding something where it does not belong. */
export type Misplaced = [method: string, path: string, body: unknown]

/**
 * A secret in every field of every body where one may land by mistake; each request is 422.
 * @param place the secret for a place, by the place's name
 * @param fieldName stands for a field's name
 */
export function misplaced(
  at: { tenantId: string; instance: string; user: string },
  place: (name: string) => string,
  fieldName: string,
): Misplaced[] {
  const { tenantId, instance, user } = at
  const good = { username: 'wrong', privileges: ['full'] }
  const users = `${instance}/users`
  const create = `/tenants/${tenantId}/valkey-instances`
  const asUser = [
    { username: place('username') },
    { privileges: [place('privilege')] },
    { privileges: [`+${place('rule')}`] },
    { privileges: [`+@${place('category')}`] },
    { privileges: [`+client|${place('subcommand')}`] },
    { privileges: [`>${place('extra-password')}`] },
    { privileges: [`~${place('key-rule')}`] },
    { privileges: ['full', place('beside-preset')] },
    { privileges: place('no-list') },
    { key_pattern: place('key-pattern') },
    { key_pattern: `~a ${place('two-patterns')}` },
    { channel_pattern: `>${place('channel-pattern')}` },
    { unknown: place('unknown-field') },
    { password: [place('list')] },
    { password: { value: place('object') } },
    { password: `${place('directive')}\nrequirepass open` },
    { password: `${place('long')}${'x'.repeat(5000)}` },
  ].map((field) => ({ ...good, ...field }))
  return [
    ...asUser.map((body): Misplaced => ['POST', users, body]),
    ...asUser.map((body): Misplaced => ['POST', create, { name: 'wrong', users: [body] }]),
    ...asUser.map(({ username: _username, ...body }): Misplaced => ['PUT', user, { ...body, unknown: 1 }]),
    ['POST', create, { name: place('name') }],
    ['POST', create, { name: 'wrong', shard_id: place('shard') }],
    ['POST', create, { name: 'wrong', users: [place('no-user')] }],
    ['POST', users, place('no-object')],
    ['PATCH', instance, { settings: { maxmemory_policy: place('policy') } }],
    ['PATCH', instance, { settings: { [fieldName]: 1 } }],
    ['PATCH', instance, { settings: { notify_keyspace_events: place('events') } }],
    ['PUT', `${instance}/tenant`, { tenant_id: place('tenant-id') }],
    ['POST', `${instance}/retry`, { accept_data: place('accept') }],
    ['POST', `${instance}/sessions`, { preset: place('preset') }],
    ['POST', '/tenants', { name: place('tenant') }],
    ['POST', '/shards', { name: place('shard-name'), node_ids: [place('node')] }],
    ['POST', '/api-keys', { name: place('key-name'), scopes: [place('scope')] }],
    ['POST', '/api-keys', { name: 'wrong', scopes: ['metrics'], expires_at: place('time') }],
  ]
}

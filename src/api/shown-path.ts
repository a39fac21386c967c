import type { FastifyRequest } from 'fastify'

const id = /^[a-z]+_[0-9a-f]{32}$/

/**
 * A request's path as logs and audit rows may hold it: the route's pattern with the ids filled in. What is no id, an
 * unknown path and the query are left out: a password may have been typed there.
 */
export function shownPath({ routeOptions, params }: FastifyRequest): string {
  const given = (params ?? {}) as Record<string, unknown>
  return (routeOptions.url ?? '(unknown path)').replace(/:(\w+)/g, (whole, name: string) => {
    const value = given[name]
    return typeof value === 'string' && id.test(value) ? value : whole
  })
}

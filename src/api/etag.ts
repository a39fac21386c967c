import { Problem } from '../domain/problem.ts'

/** A row's revision as a strong entity tag. */
export const etagOf = (revision: number): string => `"${revision}"`

/**
 * What `If-Match` asks for.
 * @returns null: no condition; otherwise the revisions that are fine. A tag that is none of ours fits no revision.
 */
export function parseIfMatch(header: string | undefined): number[] | null {
  if (header === undefined || header.trim() === '*') return null
  return header.split(',').flatMap((tag) => {
    const match = /^\s*"([0-9]{1,15})"\s*$/.exec(tag)
    return match === null ? [] : [Number(match[1])]
  })
}

/** What `Idempotency-Key` says. @throws Problem where it is not 1 to 255 printable ASCII characters */
export function parseIdempotencyKey(header: string | string[] | undefined): string | null {
  if (header === undefined) return null
  if (typeof header === 'string' && /^[\x21-\x7e]{1,255}$/.test(header)) return header
  throw new Problem('invalid', 'Idempotency-Key: must be 1 to 255 printable ASCII characters without spaces', {
    errors: [{ pointer: 'Idempotency-Key', code: 'invalid_header', detail: '1 to 255 printable ASCII characters' }],
  })
}

/** Lists page by page: the cursor is opaque to clients and bound to the list it came from. */

export type Page = {
  /** Most items of the answer. */
  limit: number
  /** `nextCursor` of the page before; null: from the start. */
  cursor: string | null
}

export type Listed<T> = {
  items: T[]
  /** Where the next page goes on; null: there is none. */
  nextCursor: string | null
  hasMore: boolean
}

/** The cursor is not one that this list gave out. The API answers it with 422. */
export class BadCursor extends Error {
  constructor() {
    super('the cursor is not one that this list gave out: begin again without it')
    this.name = 'BadCursor'
  }
}

const version = 1
const maxCursorLength = 512

/** Encodes the id of a page's last item. */
export const encodeCursor = (list: string, after: string): string =>
  Buffer.from(JSON.stringify([version, list, after])).toString('base64url')

/** The id that the page goes on after. @throws BadCursor */
export function decodeCursor(list: string, cursor: string): string {
  if (cursor.length > maxCursorLength || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw new BadCursor()
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    throw new BadCursor()
  }
  if (!Array.isArray(parsed) || parsed.length !== 3) throw new BadCursor()
  const [madeBy, madeFor, after] = parsed as unknown[]
  if (madeBy !== version || madeFor !== list || typeof after !== 'string') throw new BadCursor()
  if (!/^[a-z]+_[0-9a-f]{32}$/.test(after)) throw new BadCursor()
  return after
}

/**
 * Where a list in ascending order of ids starts: what sorts before every id, so that the first page is the same
 * query as the others.
 */
export const pageStart = (list: string, page: Page): string =>
  page.cursor === null ? '' : decodeCursor(list, page.cursor)

/** The same for a list with the newest first. @param prefix of the list's ids, for example `op` */
export const pageStartNewest = (list: string, prefix: string, page: Page): string =>
  // `g` sorts after every hexadecimal digit in every collation.
  page.cursor === null ? `${prefix}_g` : decodeCursor(list, page.cursor)

/** Rows to ask for: one more than the page holds tells whether there is a next page. */
export function rowLimit(page: Page): number {
  if (!Number.isSafeInteger(page.limit) || page.limit < 1) throw new RangeError(`no page of ${page.limit} items`)
  return page.limit + 1
}

/** Makes the page of up to `rowLimit(page)` items. */
export function listed<T extends { id: string }>(list: string, page: Page, items: T[]): Listed<T> {
  const hasMore = items.length > page.limit
  const kept = hasMore ? items.slice(0, page.limit) : items
  const last = kept.at(-1)
  return { items: kept, hasMore, nextCursor: hasMore && last ? encodeCursor(list, last.id) : null }
}

/** Between rows (snake_case; JSON as text, booleans as 0 and 1) and domain types (camelCase). */

type SnakeKey<S extends string> = S extends `${infer C}${infer R}`
  ? C extends Lowercase<C>
    ? `${C}${SnakeKey<R>}`
    : `_${Lowercase<C>}${SnakeKey<R>}`
  : ''
type CamelKey<S extends string> = S extends `${infer A}_${infer B}` ? `${A}${Capitalize<CamelKey<B>>}` : S
type Encoded<V> = V extends boolean ? number : V extends string | number | null | undefined ? V : string

/** The row of a domain value: type-checked against the table where it is inserted. */
export type RowOf<T> = { [K in keyof T as SnakeKey<K & string>]: Encoded<T[K]> }
/** A row with camelCase keys; what is JSON, a boolean or an enumeration is still to be decoded. */
export type CamelRow<R> = { [K in keyof R as CamelKey<K & string>]: R[K] }

const remember = (convert: (key: string) => string) => {
  const known = new Map<string, string>()
  return (key: string) => {
    const hit = known.get(key)
    if (hit !== undefined) return hit
    const made = convert(key)
    known.set(key, made)
    return made
  }
}
const snakeKey = remember((key) => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`))
const camelKey = remember((key) => key.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase()))

const encode = (value: unknown): unknown => {
  if (typeof value === 'boolean') return value ? 1 : 0
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value
}

/** Encodes a domain value, or a part of one, for an insert or an update. Keys that are undefined are left out. */
export function toRow<T extends object>(value: T): RowOf<T> {
  const entries = Object.entries(value).filter(([, v]) => v !== undefined)
  return Object.fromEntries(entries.map(([key, v]) => [snakeKey(key), encode(v)])) as RowOf<T>
}

/** Renames a row's keys; the answer has an ordinary prototype, which rows of node:sqlite have not. */
export function fromRow<R extends object>(row: R): CamelRow<R> {
  return Object.fromEntries(Object.entries(row).map(([key, v]) => [camelKey(key), v])) as CamelRow<R>
}

/** A count or sum, which PostgreSQL answers as text. @throws RangeError beyond 2^53 */
export function toInteger(value: string | number | bigint | null): number {
  const number = Number(value ?? 0)
  if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is no exact integer`)
  return number
}

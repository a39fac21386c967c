/** Text for a terminal. */
import { stripVTControlCharacters } from 'node:util'

/** What others wrote must not steer the terminal: escape sequences and control characters are taken out. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  stripVTControlCharacters(text).replace(
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    ' ',
  )

const oneLine = (text: string) => printable(text).replaceAll('\n', ' ')

/** A value as a table shows it: `-` where there is none. */
export function cell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-'
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(cell).join(' ')
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'object') {
    const entries = Object.entries(value)
    return entries.map(([key, each]) => `${oneLine(key)}=${cell(each)}`).join(' ')
  }
  return oneLine(`${value as string | number}`)
}

export type Column<T> = { title: string; value: (row: T) => unknown }

/** Columns as wide as their widest cell, two spaces between, no trailing space. */
export function table<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  bold: (text: string) => string = (t) => t,
): string {
  const body = rows.map((row) => columns.map((column) => cell(column.value(row))))
  const widths = columns.map((column, i) => Math.max(column.title.length, ...body.map((line) => line[i]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    cells.map((text, i) => (i === cells.length - 1 ? text : text.padEnd(widths[i] ?? 0))).join('  ')
  return [bold(line(columns.map((column) => column.title))), ...body.map(line)].map((text) => `${text}\n`).join('')
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One thing's fields, one a line; keys as the API names them with spaces for underscores. What is nested is indented. */
export function details(record: Record<string, unknown>, bold: (text: string) => string = (t) => t): string {
  const width = Math.max(0, ...Object.keys(record).map((key) => key.length))
  return Object.entries(record)
    .map(([key, value]) => {
      const title = oneLine(key.replaceAll('_', ' '))
      if (isRecord(value) && Object.keys(value).length > 0) return `${bold(title)}\n${indented(details(value))}`
      if (Array.isArray(value) && value.length > 0 && value.every(isRecord))
        return `${bold(title)}\n${indented(table(value, columnsOf(value)))}`
      return `${bold(title.padEnd(width))}  ${isRecord(value) ? '-' : cell(value)}\n`
    })
    .join('')
}

/** Every field that one of the rows has, in the order in which they come. */
const columnsOf = (rows: readonly Record<string, unknown>[]): Column<Record<string, unknown>>[] =>
  [...new Set(rows.flatMap((row) => Object.keys(row)))].map((key) => ({
    title: oneLine(key.replaceAll('_', ' ')),
    value: (row) => row[key],
  }))

const indented = (text: string) => text.replace(/^(?=.)/gm, '  ')

/** `5s`, `3m`, `2h`, `7d`: how long ago `iso` was. */
export function age(iso: string | null | undefined, now: Date = new Date()): string {
  if (!iso) return '-'
  const seconds = Math.max(0, Math.floor((now.getTime() - Date.parse(iso)) / 1000))
  if (Number.isNaN(seconds)) return '-'
  if (seconds < 120) return `${seconds}s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

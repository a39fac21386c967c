/** What the table of settings tells a person; loaded when it is asked for, since it brings zod. */
import { describeSettings, nearestSetting } from '../domain/conf/describe.ts'
import { settingNames } from '../domain/conf/settings.ts'
import { CliError } from './exit-code.ts'
import { type Column, table } from './text.ts'

type Row = ReturnType<typeof describeSettings>[number]

const columns: Column<Row>[] = [
  { title: 'NAME', value: (row) => row.name },
  { title: 'VALUES', value: (row) => row.values },
  { title: 'DEFAULT', value: (row) => row.default },
  { title: 'CHANGES', value: (row) => row.change },
  { title: 'MEANING', value: (row) => (row.since === '8.0' ? row.about : `${row.about} (from Valkey ${row.since})`) },
]

export type SettingRows = { items: Row[]; text: string }

/** Every setting, or those whose name holds one of the words. */
export function settingRows(words: readonly string[]): SettingRows {
  const wanted = words.map((word) => word.toLowerCase().replaceAll('-', '_'))
  const items = describeSettings().filter(
    ({ name, directive }) =>
      wanted.length === 0 ||
      wanted.some((word) => name.includes(word) || directive.replaceAll('-', '_').includes(word)),
  )
  return { items, text: table(items, columns) }
}

/** An error of the API on settings, with what was probably meant by names that there are not. */
export function withSettingHints(error: CliError, given: readonly string[]): CliError {
  const unknown = given.filter((name) => !(settingNames as string[]).includes(name))
  if (unknown.length === 0) return error
  const meant = unknown.flatMap((name) => nearestSetting(name) ?? [])
  const known = `${meant.length === 0 ? '' : `Did you mean ${meant.join(', ')}? `}All of them: valkeep instance settings`
  return new CliError(error.exitCode, error.message, {
    reasons: error.reasons,
    next: known,
    status: error.status,
    code: error.code,
  })
}

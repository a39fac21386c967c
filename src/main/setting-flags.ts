import type { SettingFlag } from '../cli/context.ts'
import { type Setting, settingTable } from './setting-table.ts'

/** The flags of `valkeep up`, from the table of settings. */
export const settingFlags = (Object.entries(settingTable) as [string, Setting][]).map(
  ([name, { kind, placeholder, description, defaultText, hidden }]): SettingFlag => ({
    name,
    kind: kind === 'boolean' ? 'boolean' : 'text',
    placeholder: placeholder ?? 'VALUE',
    description,
    defaultText,
    hidden: hidden ?? false,
  }),
)

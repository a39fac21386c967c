/** What a check says: `valkeep doctor` of a machine, `valkeep stack check` of a stack. */

/** @property fix what to do, with the line to type; null where all is well */
export type Finding = { check: string; status: 'ok' | 'warn' | 'fail'; detail: string; fix: string | null }

export const ok = (check: string, detail: string): Finding => ({ check, status: 'ok', detail, fix: null })
/** Works today, and should be changed. */
export const warn = (check: string, detail: string, fix: string): Finding => ({ check, status: 'warn', detail, fix })
/** Does not work, or does not keep what was promised. */
export const fail = (check: string, detail: string, fix: string): Finding => ({ check, status: 'fail', detail, fix })

import { readFileSync } from 'node:fs'

/** The product's version: package.json lies two directories up, in the clone and in the package alike. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version

import { mkdirSync } from 'node:fs'
import { writeWholeFile } from '../runtime/whole-file.ts'

/** Makes a directory that is its owner's alone, with its parents. */
export const makePrivateDir = (path: string): void => {
  mkdirSync(path, { recursive: true, mode: 0o700 })
}

/** Writes a 0600 file whole or not at all. */
export const writePrivateFile = (path: string, text: string): void => writeWholeFile(path, text, { mode: 0o600 })

/** Which version a valkey-server binary is. */
import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * What a binary says with --version.
 * @returns null where it is missing, cannot be run, or is no valkey-server
 */
export async function askVersion(binary: string): Promise<string | null> {
  try {
    const { stdout } = await run(binary, ['--version'], { timeout: 5_000, env: {} })
    return /^Valkey server v=(\d+\.\d+\.\d+\S*)/m.exec(stdout)?.[1] ?? null
  } catch {
    return null
  }
}

/** Version of a binary, asked again only when the file has changed: a package upgrade under our feet is seen. */
export function makeBinaryVersion(): (binary: string) => Promise<string | null> {
  const known = new Map<string, { mark: string; version: Promise<string | null> }>()
  return async (binary) => {
    const file = await stat(binary).catch(() => undefined)
    if (!file) return null
    const mark = `${file.ino} ${file.mtimeMs} ${file.size}`
    const last = known.get(binary)
    if (last?.mark === mark) return last.version
    const asked = { mark, version: askVersion(binary) }
    known.set(binary, asked)
    // No answer (too many processes, a slow disk) is of this moment; remembered, it would keep every server down.
    if ((await asked.version) === null && known.get(binary) === asked) known.delete(binary)
    return asked.version
  }
}

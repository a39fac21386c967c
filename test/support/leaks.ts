/** Looks for secrets where everybody with a look at the machine, a backup or a log could find them. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A secret by the name that a failure shows: never the secret itself. */
export type Secret = { name: string; text: string }

/** The names of the secrets that stand in some bytes, whatever their case; Base64 and percent forms of them too. */
export function leaksIn(bytes: string | Buffer, secrets: readonly Secret[]): string[] {
  const text = (typeof bytes === 'string' ? bytes : bytes.toString('latin1')).toLowerCase()
  return secrets.filter((secret) => formsOf(secret.text).some((form) => text.includes(form))).map(({ name }) => name)
}

const formsOf = (text: string): string[] =>
  [text, encodeURIComponent(text), Buffer.from(text).toString('base64').replace(/=+$/, '')].map((form) =>
    form.toLowerCase(),
  )

/** Every file, directory and socket below a directory, itself included. */
export function walk(dir: string): string[] {
  const below = readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(join(dir, entry.name)) : [join(dir, entry.name)],
  )
  return [dir, ...below]
}

/** Every regular file below a directory, with its bytes. */
export const filesBelow = (dir: string): [path: string, bytes: Buffer][] =>
  walk(dir)
    .filter((path) => lstatSync(path).isFile())
    .map((path) => [path, readFileSync(path)])

function readProc(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1')
  } catch {
    // It has ended, or is another user's.
    return ''
  }
}

/**
 * Keeps looking at the arguments and environments of every process of the machine, for secrets that are known by then.
 * @param secrets asked at each look
 */
export function watchProcesses(secrets: () => readonly Secret[]) {
  const found = new Set<string>()
  let looks = 0
  const look = () => {
    looks += 1
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue
      for (const name of ['cmdline', 'environ'])
        for (const leak of leaksIn(readProc(pid, name), secrets()))
          found.add(`${leak} in ${name} of ${readProc(pid, 'comm').trim()}`)
    }
  }
  const timer = setInterval(look, 50)
  return {
    /** @returns what was found from the beginning on, and how often it was looked for */
    stop() {
      clearInterval(timer)
      look()
      return { found: [...found], looks }
    },
  }
}

// Starts the CLI with Node's compile cache on: parsing and type stripping are then paid once, not at each start.
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { enableCompileCache, flushCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

// What the cache holds is run as code: it is used only where the directory is ours and nobody else can write to it.
function useCompileCache() {
  try {
    const dir = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'valkeep', 'node')
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const { uid, mode } = statSync(dir)
    if (uid !== process.getuid() || (mode & 0o022) !== 0) return
    enableCompileCache(dir)
    // Node writes the cache at a clean exit only; a platform that runs for months and is then killed would never have one.
    setTimeout(() => flushCompileCache(), 5000).unref()
  } catch {
    // No home directory, or a read-only one: the program runs without the cache.
  }
}

useCompileCache()
// A clone runs its sources; the published package carries only compiled JavaScript.
const source = new URL('../src/main/cli.ts', import.meta.url)
await import(existsSync(source) ? source.href : new URL('../dist/main/cli.js', import.meta.url).href)

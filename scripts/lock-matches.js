// node scripts/lock-matches.js ROOT run|dev: exit 0 where ROOT/node_modules already holds what ROOT/npm-shrinkwrap.json names,
// 1 where it does not. Runs on Node 18: it decides before anything is installed.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [root, mode] = process.argv.slice(2)
const packages = (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).packages

function matches() {
  const hidden = 'node_modules/.package-lock.json'
  if (!existsSync(join(root, hidden))) return false
  const wanted = packages('npm-shrinkwrap.json')
  const installed = packages(hidden)
  const fits = ([path, entry]) => {
    if (path === '' || (entry.dev && mode === 'run')) return true
    const there = installed[path]
    if (there === undefined) return Boolean(entry.optional || entry.devOptional) && !isMadeForThisMachine(entry)
    return there.version === entry.version && there.integrity === entry.integrity && existsSync(join(root, path))
  }
  return Object.entries(wanted).every(fits)
}

// npm leaves out optional packages made for another system, processor or C library, and what only those need.
function isMadeForThisMachine({ os, cpu, libc }) {
  if (!os && !cpu && !libc) return false
  process.report.excludeNetwork = true // no name look-ups
  const here = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
  return (
    (!os || os.includes(process.platform)) && (!cpu || cpu.includes(process.arch)) && (!libc || libc.includes(here))
  )
}

process.exitCode = matches() ? 0 : 1

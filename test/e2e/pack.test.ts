import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { freePort } from '../support/free-port.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

/** A user's shell: a home of its own, and none of what npm tells the scripts that it runs. */
function userEnv(home: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VALKEEP_|XDG_|INIT_CWD$)/i.test(name))
  return { ...Object.fromEntries(inherited), HOME: home }
}

async function npm(args: string[]): Promise<string> {
  const { stdout } = await run('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root })
  return stdout
}

/** Whether the platform came to its ready line; false where its output ended before. */
async function saysReady(output: NodeJS.ReadableStream, port: number): Promise<boolean> {
  let ready = false
  for await (const line of createInterface({ input: output })) {
    ready = line === `ready http://127.0.0.1:${port}`
    if (ready) break
  }
  // What it prints later is taken, or it would wait for a reader.
  output.resume()
  return ready
}

test('the packed tarball carries compiled code and exact versions, installs globally elsewhere and runs', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'valkeep-pack-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))

  await npm(['pack', '--pack-destination', dir])
  const tarball = join(dir, `valkeep-${manifest.version}.tgz`)
  const listing = await run('tar', ['-tzf', tarball])
  const paths = listing.stdout
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''))
  for (const wanted of ['bin/valkeep', 'bin/launch.js', 'dist/main/cli.js', 'npm-shrinkwrap.json', 'LICENSE']) {
    assert.ok(paths.includes(wanted), `${wanted} is not in the tarball`)
  }
  assert.deepEqual(
    paths.filter((path) => /\.test\.js$|\.ts$|^(src|test|scripts|node_modules)\//.test(path)),
    [],
  )

  const prefix = join(dir, 'prefix')
  await npm(['install', '--global', '--prefix', prefix, '--prefer-offline', tarball])
  const modules = join(prefix, 'lib/node_modules/valkeep/node_modules')
  const installed = JSON.parse(readFileSync(join(modules, 'fastify/package.json'), 'utf8')) as { version: string }
  const locked = JSON.parse(readFileSync(join(root, 'npm-shrinkwrap.json'), 'utf8')) as {
    packages: Record<string, { version: string }>
  }
  assert.equal(installed.version, locked.packages['node_modules/fastify']?.version)
  assert.equal(existsSync(join(modules, 'typescript')), false, 'development tools were installed')

  const port = await freePort()
  const env = { ...userEnv(join(dir, 'home')), VALKEEP_HOME: join(dir, 'data'), VALKEEP_PORT: String(port) }
  const program = join(prefix, 'bin/valkeep')
  const valkeep = (...args: string[]) => run(program, args, { cwd: dir, env })
  assert.equal((await valkeep('--version')).stdout.trim(), manifest.version)
  assert.match((await valkeep('--help')).stdout, /\binstance\b/)

  const platform = spawn(program, ['up'], { cwd: dir, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(platform, 'exit')
  t.after(() => valkeep('down').catch(() => platform.kill('SIGTERM')))
  assert.ok(await saysReady(platform.stdout, port), 'valkeep up ended before it was ready')
  await valkeep('status')
  await valkeep('down')
  assert.deepEqual(await ended, [0, null])
})

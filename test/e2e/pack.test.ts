import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

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

test('the packed tarball carries compiled code and exact versions, installs globally elsewhere and runs', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'valkeep-pack-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))

  const packed = JSON.parse(await npm(['pack', '--json', '--pack-destination', dir])) as {
    filename: string
    files: { path: string }[]
  }[]
  const [tarball] = packed
  assert.ok(tarball !== undefined)
  const paths = tarball.files.map((file) => file.path)
  for (const wanted of ['bin/valkeep', 'bin/launch.js', 'dist/main/cli.js', 'npm-shrinkwrap.json', 'LICENSE']) {
    assert.ok(paths.includes(wanted), `${wanted} is not in the tarball`)
  }
  assert.deepEqual(
    paths.filter((path) => /\.test\.js$|\.ts$|^(src|test|scripts|node_modules)\//.test(path)),
    [],
  )

  const prefix = join(dir, 'prefix')
  await npm(['install', '--global', '--prefix', prefix, '--prefer-offline', join(dir, tarball.filename)])
  const modules = join(prefix, 'lib/node_modules/valkeep/node_modules')
  const installed = JSON.parse(readFileSync(join(modules, 'fastify/package.json'), 'utf8')) as { version: string }
  const locked = JSON.parse(readFileSync(join(root, 'npm-shrinkwrap.json'), 'utf8')) as {
    packages: Record<string, { version: string }>
  }
  assert.equal(installed.version, locked.packages['node_modules/fastify']?.version)

  const valkeep = (...args: string[]) =>
    run(join(prefix, 'bin/valkeep'), args, { cwd: dir, env: userEnv(join(dir, 'home')) })
  assert.equal((await valkeep('--version')).stdout.trim(), manifest.version)
  assert.match((await valkeep('--help')).stdout, /\binstance\b/)
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseCredentials } from '../src/domain/stack/secrets.ts'
import { readFileSync } from 'node:fs'
import { type Dockerd, startDockerd } from '../test/support/dockerd.ts'
import { type Bench, figure, type Line, percentile } from './support/report.ts'

const program = fileURLToPath(new URL('../bin/valkeep', import.meta.url))
const rounds = 3
const settings = ['1', 'auto', '4'] as const
type Threads = (typeof settings)[number]
const commands = {
  SET: ['SET', 'molis:blocked:__rand_int__', '0123456789abcdef'],
  GET: ['GET', 'molis:blocked:__rand_int__'],
}

/** What a stack's container of 1.0 CPU serves, by the number of I/O threads. */
export const stackThreads: Bench = {
  name: 'stack-threads',
  about: 'SET and GET a second in the container of 1.0 CPU, by io-threads',
  async run(progress) {
    const engine = await startDockerd()
    const dir = mkdtempSync(join(tmpdir(), 'vkb-threads-'))
    try {
      await engine.importValkeyImage()
      valkeep('stack', 'init', dir)
      const rates = new Map<string, number[]>()
      for (let round = 0; round < rounds; round++)
        for (const threads of settings) {
          progress(`round ${round + 1}: io-threads ${threads}`)
          await startWith(engine, dir, threads)
          for (const name of ['SET', 'GET'] as const) {
            const key = `${name} ${threads}`
            rates.set(key, [...(rates.get(key) ?? []), await rate(engine, dir, commands[name])])
          }
        }
      return (['SET', 'GET'] as const).flatMap((name) => settings.slice(1).map((threads) => line(name, threads, rates)))
    } finally {
      await engine.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  },
}

function valkeep(...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`valkeep ${args.join(' ')} ended (${status}): ${stderr}`)
}

async function startWith(engine: Dockerd, dir: string, threads: Threads): Promise<void> {
  const file = join(dir, 'deploy/docker-compose.yml')
  await engine.docker('compose', '-f', file, 'down', '--volumes')
  valkeep('stack', 'conf', '--stack', dir, '--io-threads', threads, '--force')
  await engine.docker('compose', '-f', file, 'up', '-d', '--wait')
}

/** Requests a second of 50 connections, from a container beside it: the client takes nothing of the server's CPU. */
async function rate(engine: Dockerd, dir: string, command: string[]): Promise<number> {
  const credentials = parseCredentials(readFileSync(join(dir, 'deploy/secrets/credentials.env.example'), 'utf8'))
  const tls = ['--tls', '--cacert', '/tls/ca.crt', '--cert', '/tls/client.crt', '--key', '/tls/client.key']
  // A throw-away password of a container that lives as long as this bench.
  const login = ['-h', 'valkey', '--user', 'mcp-agent', '-a', credentials.get('VALKEY_MCP_AGENT_PASS') ?? '']
  const mount = ['-v', `${join(dir, 'certs/valkey')}:/tls:ro`]
  const load = ['valkey-benchmark', ...login, ...tls, '-c', '50', '-n', '60000', '-r', '10000', '--csv', ...command]
  const out = await engine.docker(
    'run',
    '--rm',
    '--network',
    'gateway-bridge',
    ...mount,
    'valkey/valkey:8-alpine',
    ...load,
  )
  const found = /^"[^"]*","([\d.]+)"/m.exec(out.split('\n').slice(1).join('\n'))?.[1]
  if (found === undefined) throw new Error(`valkey-benchmark said: ${out}`)
  return Number(found)
}

function line(name: string, threads: Threads, rates: ReadonlyMap<string, number[]>): Line {
  const ours = rates.get(`${name} ${threads}`) ?? []
  const raw = rates.get(`${name} 1`) ?? []
  const ratio = percentile(ours, 0.5) / percentile(raw, 0.5)
  return {
    what: `${name}, io-threads ${threads}`,
    goal: threads === 'auto' ? 'as 1' : 'told',
    unit: '1/s',
    ours: figure(ours),
    raw: figure(raw),
    ratio,
    met: threads !== 'auto' || ratio > 0.85,
    cause: 'raw is io-threads 1 on the same container, in the same rounds',
  }
}

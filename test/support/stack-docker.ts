/** A stack as its user runs it: written by the program, started by Docker Compose on an engine of the test's own. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseCredentials } from '../../src/domain/stack/secrets.ts'
import { asPerson } from './as-person.ts'
import type { Dockerd } from './dockerd.ts'

const program = fileURLToPath(new URL('../../bin/valkeep', import.meta.url))

/** What `docker inspect` says of a container, as far as the tests look at it. */
export type Inspected = {
  RestartCount: number
  Config: {
    User: string
    Env: string[]
    Labels: Record<string, string>
    Healthcheck: { Test: string[] }
    ExposedPorts?: object
    StopTimeout: number
    Cmd: string[]
  }
  HostConfig: {
    CapDrop: string[]
    CapAdd: string[] | null
    SecurityOpt: string[]
    ReadonlyRootfs: boolean
    Privileged: boolean
    Tmpfs: Record<string, string>
    Memory: number
    MemoryReservation: number
    NanoCpus: number
    LogConfig: { Type: string; Config: Record<string, string> }
    RestartPolicy: { Name: string }
    PortBindings: object | null
    PidMode: string
    IpcMode: string
  }
  Mounts: { Type: string; Source: string; Destination: string; RW: boolean; Name?: string }[]
  NetworkSettings: { Networks: Record<string, unknown>; Ports: Record<string, unknown> }
  State: { Pid: number; ExitCode: number; OOMKilled: boolean; Status: string; Health: { Status: string } }
}

export type DockerStack = {
  root: string
  file: string
  /** `docker compose -f FILE …` */
  compose(...words: string[]): Promise<string>
  /** The program in the stack's directory. */
  valkeep(...words: string[]): SpawnSyncReturns<string>
  inspect(): Promise<Inspected>
  password(variable: string): string
  /** One command by valkey-cli inside the container, as one of the stack's users. Answers what it prints. */
  as(user: string, password: string, ...command: string[]): Promise<string>
}

export type StackOptions = {
  init?: string[]
  /** `UID:GID` of the person who runs the program; root by default. */
  person?: string
  /** Put into the directory before `init` runs. */
  prepare?: (root: string) => void
}

/** The container's name. */
export const CONTAINER = 'polis-v2-valkey'

/** Writes a stack; whatever runs of it is gone at the end of the test, with its volume. */
export async function makeDockerStack(
  t: TestContext,
  engine: Dockerd,
  { init = [], person, prepare }: StackOptions = {},
): Promise<DockerStack> {
  const root = mkdtempSync(join(tmpdir(), 'vk-stack-'))
  if (person !== undefined) spawnSync('chown', [person, root])
  prepare?.(root)
  const env = { ...process.env, ...engine.env, NO_COLOR: '1', HOME: root }
  const valkeep = (...words: string[]) =>
    spawnSync(...(person === undefined ? ([program, words] as const) : asPerson(person, program, words)), {
      cwd: root,
      env,
      encoding: 'utf8',
    })
  const made = valkeep('stack', 'init', ...init)
  if (made.status !== 0) throw new Error(`stack init ended with ${made.status}: ${made.stderr}`)
  const file = /docker compose -f (\S+) up/.exec(made.stderr)?.[1] ?? ''
  const stack: DockerStack = {
    root,
    file: join(root, file),
    compose: (...words) => engine.docker('compose', '-f', join(root, file), ...words),
    valkeep,
    inspect: async () => (JSON.parse(await engine.docker('inspect', CONTAINER)) as [Inspected])[0],
    password: (variable) =>
      parseCredentials(readFileSync(join(root, 'deploy/secrets/credentials.env.example'), 'utf8')).get(variable) ?? '',
    as: (user, password, ...command) =>
      engine.docker('exec', CONTAINER, 'sh', '-c', cli, 'sh', password, user, ...command),
  }
  t.after(async () => {
    await stack.compose('down', '--volumes', '--timeout', '5').catch(() => undefined)
    rmSync(root, { recursive: true, force: true })
  })
  return stack
}

/** The password is a test's own and lives as long as it: here it may be an argument. */
const cli = `
REDISCLI_AUTH=$1; export REDISCLI_AUTH; user=$2; shift 2; t=/etc/valkey/tls
exec valkey-cli --tls --cacert $t/ca.crt --cert $t/client.crt --key $t/client.key -h valkey --user "$user" "$@"`

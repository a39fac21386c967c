/** What stack.yaml says that does not go well together. */
import { fail, type Finding, ok, warn } from '../../finding.ts'
import { IMAGE_USER } from '../places.ts'
import type { StackSpec } from '../spec.ts'
import type { Names } from './facts.ts'

/** Of the container's memory: while it saves, pages that change are there twice. */
const MEMORY_SHARE = 0.75

function judgeMemory({ server, service }: StackSpec, { command }: Names): Finding {
  const { maxmemory_mb: used } = server
  const { memory_mb: limit } = service
  const percent = Math.round((used * 100) / limit)
  const figures = `maxmemory is ${used} MB of the container’s ${limit} MB (${percent}%)`
  if (used <= limit * MEMORY_SHARE) return ok('stack.yaml memory', figures)
  const room = Math.ceil(used / MEMORY_SHARE)
  return warn(
    'stack.yaml memory',
    `${figures}: what changes during a save is kept twice, and the kernel ends the server where that does not fit`,
    `In stack.yaml: service.memory_mb: ${room}, or server.maxmemory_mb: ${Math.floor(limit * MEMORY_SHARE)}. Then ${command('conf --force')} and ${command('compose --force')}`,
  )
}

/** Who may only read a key could all the same make it vanish, by filling the memory with its own. */
function judgeEviction({ server, users }: StackSpec, { command }: Names): Finding {
  const policy = server.maxmemory_policy
  const readers = Object.entries(users).filter(([, { keys }]) => keys.some((key) => key.startsWith('%R~')))
  const writers = readers.filter(([, { keys }]) => keys.some((key) => !key.startsWith('%R~')))
  if (policy === 'noeviction' || writers.length === 0) return ok('stack.yaml eviction', policy)
  const names = writers.map(([name]) => name).join(', ')
  return warn(
    'stack.yaml eviction',
    `${policy}: ${names} may only read some keys, and can have them evicted by filling the memory`,
    `In stack.yaml: server.maxmemory_policy: noeviction. Then ${command('conf --force')}`,
  )
}

export type ImageVersion = { major: number; minor: number | null }

/** The version in an image's tag; null where it has none (`latest`, a digest, a name). */
export function imageVersion(image: string): ImageVersion | null {
  const [name = ''] = image.split('@')
  const [, major, minor] = /:v?(\d+)(?:\.(\d+))?[^/:]*$/.exec(name) ?? []
  return major === undefined ? null : { major: Number(major), minor: minor === undefined ? null : Number(minor) }
}

const isPinned = (image: string) => image.includes('@')

/**
 * Whether an image suits the engine that the files are written for, and stays what it is.
 * @returns what is wrong; undefined where nothing is
 */
export function imageProblem(image: string, engine: string): string | undefined {
  const version = imageVersion(image)
  if (version === null)
    return isPinned(image)
      ? undefined
      : `the image ${image} has no version in its tag: the next pull may bring another one, and an older one cannot open a newer one’s data`
  const [major = 0, minor = 0] = engine.split('.').map(Number)
  if (version.major > major)
    return `the image ${image} is newer than engine ${engine}: commands that came since are under no rule of the users`
  if (version.major < major || (version.minor !== null && version.major === major && version.minor < minor))
    return `the image ${image} is older than engine ${engine}: it may not start on rules for newer commands`
  return undefined
}

function judgeEngine({ engine, service }: StackSpec, { command }: Names): Finding {
  const problem = imageProblem(service.image, engine)
  if (problem === undefined) return ok('stack.yaml engine', `${engine}, image ${service.image}`)
  return warn(
    'stack.yaml engine',
    problem,
    `In stack.yaml: engine and service.image of one version. Then ${command('secrets')} and ${command('compose --force')}`,
  )
}

/** Root of the container is root of the host but for what is taken from it. */
function judgeUser({ service }: StackSpec, { command }: Names): Finding {
  const [uid] = service.user.split(':').map(Number)
  if (uid !== 0) return ok('stack.yaml user', service.user)
  return fail(
    'stack.yaml user',
    `service.user ${service.user} is root: whoever breaks out of the server is root of the host`,
    `In stack.yaml: service.user: "${IMAGE_USER}". Then, as root, ${command('init')} and ${command('compose --force')}`,
  )
}

/** What a person should think about before the files are right. */
export const judgeSpec = (spec: StackSpec, names: Names): Finding[] => [
  judgeUser(spec, names),
  judgeMemory(spec, names),
  judgeEviction(spec, names),
  judgeEngine(spec, names),
]

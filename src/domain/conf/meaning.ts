/** What a directive's value means, as a string to compare: two spellings of one meaning give the same. */
type Meaning = (args: string[]) => string

const UNITS: Record<string, bigint> = {
  '': 1n,
  b: 1n,
  k: 1000n,
  kb: 1024n,
  m: 1_000_000n,
  mb: 1_048_576n,
  g: 1_000_000_000n,
  gb: 1_073_741_824n,
}

/** `64mb` as bytes; what is no size stays text. */
const bytes: Meaning = (args) => {
  const match = /^(\d+)([a-z]*)$/i.exec(args.join(' '))
  const unit = UNITS[match?.[2]?.toLowerCase() ?? 'none']
  return match === null || unit === undefined ? text(args) : String(BigInt(match[1] as string) * unit)
}

const text: Meaning = (args) => args.join(' ')
const anyCase: Meaning = (args) => text(args).toLowerCase()
const words: Meaning = (args) => split(args).join(' ')
const unorderedWords: Meaning = (args) => split(args).toSorted().join(' ')
const octal: Meaning = (args) => text(args).replace(/^0+(?=\d)/, '')

/** Pairs of seconds and changes, in any order; `""` is none. */
const schedule: Meaning = (args) => {
  const numbers = split(args)
  const pairs = numbers.flatMap((seconds, index) => (index % 2 === 0 ? [`${seconds} ${numbers[index + 1]}`] : []))
  return pairs.toSorted().join(',')
}

/** The classes that `A` stands for. */
const ALL_EVENTS = 'g$lshzxetd'

/** Valkey answers in an order of its own, and `A` where it can. */
const eventLetters: Meaning = (args) => {
  const letters = text(args).replaceAll('A', () => ALL_EVENTS)
  return [...new Set(letters)].toSorted().join('')
}

const meanings: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ['save', schedule],
  ['notify-keyspace-events', eventLetters],
  ['bind', words],
  ['tls-protocols', unorderedWords],
  ['unixsocketperm', octal],
  ...[
    'maxmemory',
    'auto-aof-rewrite-min-size',
    'hash-max-listpack-value',
    'set-max-listpack-value',
    'zset-max-listpack-value',
    'stream-node-max-bytes',
    'hll-sparse-max-bytes',
    'repl-backlog-size',
    'client-query-buffer-limit',
    'proto-max-bulk-len',
  ].map((name) => [name, bytes] as const),
  ...['maxmemory-policy', 'appendfsync', 'loglevel', 'supervised', 'repl-diskless-load', 'acl-pubsub-default'].map(
    (name) => [name, anyCase] as const,
  ),
])

/** The meaning of a directive's arguments as a file has them. */
export function meaningOf(name: string, args: string[]): string {
  const meaning = meanings.get(name)
  if (meaning !== undefined) return meaning(args)
  return /^(yes|no)$/i.test(text(args)) ? anyCase(args) : text(args)
}

/**
 * The meaning of a directive as far as CONFIG GET can tell it. Its `dir` is the process's working directory with links
 * resolved, so only the end of the path, which holds the server's id, compares; and among the keyspace events it keeps
 * quiet about `n` where all the classes of `A` are on (8.0.1, 8.1.1 and 9.1.2 alike).
 */
export function reportedMeaningOf(name: string, args: string[]): string {
  if (name === 'dir') return text(args).split('/').filter(Boolean).slice(-2).join('/')
  const meaning = meaningOf(name, args)
  if (name !== 'notify-keyspace-events') return meaning
  return [...ALL_EVENTS].every((letter) => meaning.includes(letter)) ? meaning.replace('n', '') : meaning
}

function split(args: string[]): string[] {
  return args.flatMap((arg) => arg.split(/\s+/)).filter((word) => word !== '')
}

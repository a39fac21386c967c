/** What a command line says over a stack's spec. */
import { CliError, exitCodes, usageError } from '../cli/exit-code.ts'
import { stackSpecSchema, type StackSpec } from '../domain/stack/spec.ts'
import { withSans } from './certs.ts'

export type CertificateFlags = {
  days?: number
  san?: string[]
  caSubject?: string
  serverSubject?: string
  clientSubject?: string
}

/** Fields of the spec, by the flags that set them: a message names what the person typed. */
const flagOf: Record<string, string> = {
  'certificates.days': '--days',
  'certificates.ca': '--ca-subject',
  'certificates.server': '--server-subject',
  'certificates.client': '--client-subject',
  'certificates.names': '--san',
  'certificates.addresses': '--san',
  'server.io_threads': '--io-threads',
  'service.network': '--network',
  'service.user': '--user',
  'files.compose': '--into',
  prefix: '--prefix',
}

/** A spec with what a command line says for this run. @throws CliError where that does not fit the schema */
export function checkedSpec(spec: StackSpec): StackSpec {
  const result = stackSpecSchema.safeParse(spec)
  if (result.success) return result.data
  const found = result.error.issues.map(({ path, message }) => {
    const field = path.slice(0, 2).join('.')
    return {
      flag: flagOf[field] ?? (path[0] === 'prefix' ? '--prefix' : undefined),
      text: `${path.join('.')}: ${message}`,
      message,
    }
  })
  // What follows from a wrong prefix is not another mistake.
  const own = found.filter(({ flag }) => flag !== undefined)
  throw new CliError(exitCodes.usage, 'What is asked for is not possible', {
    reasons: (own.length > 0 ? own : found).map(({ flag, text, message }) =>
      flag === undefined ? text : `${flag} ${message}`,
    ),
    next: 'Mend it and run the command again; its --help tells more.',
  })
}

/** The certificates' spec with the flags of a command line over it. */
export function withCertificateFlags(spec: StackSpec, flags: CertificateFlags): StackSpec {
  const { certificates } = spec
  const over = {
    ...certificates,
    days: flags.days ?? certificates.days,
    ca: flags.caSubject ?? certificates.ca,
    server: flags.serverSubject ?? certificates.server,
    client: flags.clientSubject ?? certificates.client,
  }
  return checkedSpec(withSans({ ...spec, certificates: over }, flags.san ?? []))
}

/** `auto`, or a whole number. */
export function ioThreadsOf(text: string | undefined): StackSpec['server']['io_threads'] | undefined {
  if (text === undefined || text === 'auto') return text
  if (!/^[1-9][0-9]?$/.test(text))
    throw usageError(`--io-threads ${JSON.stringify(text)}: auto, or a number from 1 to 16`)
  return Number(text)
}

/** For a stack that is declared: what is said on the command line is forgotten after it. */
export const forThisRun = (field: string): string =>
  `What the flags say holds for this run. For good it stands in stack.yaml: ${field}`

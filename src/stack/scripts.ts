/** The three scripts of a stack for places without Node, rendered from the same model as everything else. */
import { readFileSync } from 'node:fs'
import { renderAclFile } from '../domain/acl/render.ts'
import { GENERATED_PASSWORD_ALPHABET, GENERATED_PASSWORD_LENGTH } from '../domain/password-policy.ts'
import { shellQuote } from '../domain/shell-quote.ts'
import { stackAcl } from '../domain/stack/acl.ts'
import { healthVariables } from '../domain/stack/health.ts'
import { scriptFiles, secretFiles } from '../domain/stack/places.ts'
import type { StackSpec } from '../domain/stack/spec.ts'

/** What stands in a template's place: a text becomes one word of the shell, a number itself, lines stand as they are. */
type Fill = string | number | { lines: string[] }

const templates = new Map<string, string>()

/** Read where a script is first asked for: most commands never do. */
function template(file: string): string {
  const read = templates.get(file) ?? readFileSync(new URL(`../../templates/stack/${file}`, import.meta.url), 'utf8')
  templates.set(file, read)
  return read
}

/**
 * Puts values into a template's places, `@NAME@` or a line `# @NAME@` of its own, in one pass: what a value holds is no place.
 * @throws Error where the two do not fit each other
 */
function fill(file: string, values: Readonly<Record<string, Fill>>): string {
  const unused = new Set(Object.keys(values))
  const text = template(file).replace(/^( *)# @([A-Z_]+)@$|@([A-Z_]+)@/gm, (_, indent, line, word) => {
    const name = String(line ?? word)
    const value = values[name]
    const isLine = line !== undefined
    if (value === undefined || isLine !== (typeof value === 'object')) throw new Error(`${file} has no ${name}`)
    unused.delete(name)
    if (typeof value === 'object') return value.lines.map((each) => `${indent}${each}`).join('\n')
    return typeof value === 'number' ? String(value) : shellQuote(value)
  })
  if (unused.size > 0) throw new Error(`${file} has no place for ${[...unused].join(', ')}`)
  return text
}

/** What both generators share, without the words about itself. */
const common = (): Fill => ({ lines: template('common.sh').trimEnd().split('\n').slice(3) })

/** What a person types after a change of what the server reads at its start; nothing in it needs quoting (spec.ts). */
const restartLine = ({ files, service }: StackSpec) => `docker compose -f ${files.compose} restart ${service.name}`

const certs = (spec: StackSpec): Record<string, Fill> => ({
  ME: scriptFiles.certs,
  COMMON: common(),
  DAYS: spec.certificates.days,
  CA_SUBJECT: spec.certificates.ca,
  SERVER_SUBJECT: spec.certificates.server,
  CLIENT_SUBJECT: spec.certificates.client,
  NAMES: spec.certificates.names.join(' '),
  ADDRESSES: spec.certificates.addresses.join(' '),
  OWNER: spec.service.user,
  STACK_DIR: spec.files.certs,
  RESTART: restartLine(spec),
})

/** A digest that no password has, to find the place of a user's digests in its line. */
const standIn = (index: number): string => index.toString(16).padStart(64, '0')

/** The ACL file's lines: those before the first user of the spec, and each user's on both sides of its digests. */
function aclParts(spec: StackSpec): { head: string; sides: Map<string, [before: string, after: string]> } {
  const names = Object.keys(spec.users)
  const text = renderAclFile(stackAcl(spec, (name) => [standIn(names.indexOf(name))]))
  const lines = text.trimEnd().split('\n')
  const sides = names.map((name, index) => {
    const [before, after, more] = (lines.at(index - names.length) ?? '').split(` #${standIn(index)} `)
    if (before === undefined || after === undefined || more !== undefined)
      throw new Error(`the ACL line of ${name} is not to be found`)
    return [name, [before, after] as [string, string]] as const
  })
  return { head: lines.slice(0, -names.length).join('\n'), sides: new Map(sides) }
}

function secrets(spec: StackSpec): Record<string, Fill> {
  const { head, sides } = aclParts(spec)
  const about = Object.entries(spec.users).flatMap(([name, user]) => {
    const [before, after] = sides.get(name) ?? ['', '']
    return [
      `${shellQuote(name)})`,
      `  env=${shellQuote(user.env)} file=${shellQuote(user.password_file ?? '')} reader=${shellQuote(user.owner ?? '')}`,
      `  before=${shellQuote(before)}`,
      `  after=${shellQuote(after)}`,
      '  ;;',
    ]
  })
  return {
    ME: scriptFiles.secrets,
    COMMON: common(),
    ACL_FILE: secretFiles.acl,
    CREDENTIALS: secretFiles.env,
    USERS: Object.keys(spec.users).join(' '),
    HEALTH_USER: spec.health_user,
    OWNER: spec.service.user,
    STACK_DIR: spec.files.secrets,
    RESTART: restartLine(spec),
    ALPHABET: GENERATED_PASSWORD_ALPHABET,
    LENGTH: GENERATED_PASSWORD_LENGTH,
    ACL_HEAD: head,
    ABOUT: { lines: about },
  }
}

const health = (): Record<string, Fill> => ({
  ...healthVariables,
  VARIABLES: { lines: Object.entries(healthVariables).map(([name, value]) => `${name.padEnd(22)}${value}`) },
})

/**
 * The scripts, by the name of their file. They are programs (mode 755) for any POSIX shell.
 * @throws Error where the spec is none that its schema accepts
 */
export function renderScripts(spec: StackSpec): Record<string, string> {
  return {
    [scriptFiles.certs]: fill(scriptFiles.certs, certs(spec)),
    [scriptFiles.secrets]: fill(scriptFiles.secrets, secrets(spec)),
    [scriptFiles.health]: fill(scriptFiles.health, health()),
  }
}

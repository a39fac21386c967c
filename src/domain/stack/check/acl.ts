/** Whether a stack's ACL file is one that the server takes, and gives each user what stack.yaml says. */
import type { AclUser } from '../../acl/acl-user.ts'
import { permittedCommands } from '../../acl/evaluate.ts'
import { sameAclUser } from '../../acl/same.ts'
import { USERNAME_PATTERN } from '../../acl/tenant-user.ts'
import { fail, type Finding, ok, warn } from '../../finding.ts'
import { stackAclUser } from '../acl.ts'
import { secretFiles } from '../places.ts'
import type { StackSpec, StackUser } from '../spec.ts'
import { type AclTextProblem, readAclText } from './acl-text.ts'
import { aclDifference, dangerousAmong, listed } from './acl-words.ts'
import type { Names } from './facts.ts'

/** A password on file. @property sha256 its digest; null where the file holds none */
export type PasswordOnFile = { path: string; sha256: string | null }

export type AclFacts = {
  /** The file's text; undefined where it is missing or cannot be read, which is another finding. */
  text: string | undefined
  /** By user. */
  passwords: ReadonlyMap<string, readonly PasswordOnFile[]>
}

export function judgeAcl(spec: StackSpec, facts: AclFacts, names: Names): Finding[] {
  if (facts.text === undefined) return judgeHealthUser(spec, names)
  const path = names.shown(`${spec.files.secrets}/${secretFiles.acl}`)
  const read = readAclText(facts.text)
  if ('problem' in read) return [judgeText(spec, path, read.problem, names), ...judgeHealthUser(spec, names)]
  const declared = new Set(Object.keys(spec.users))
  const stray = read.users.filter(({ name }) => name !== 'default' && !declared.has(name))
  return [
    ...judgeDefault(read.users, path, names),
    ...stray.map(({ name }) => judgeStray(name, path, names)),
    ...Object.entries(spec.users).flatMap(([name, user]) => {
      const actual = read.users.find((each) => each.name === name)
      const findings = judgeUser({ spec, facts, names, path }, name, user, actual)
      const might = judgeDangerous(spec, name, user, names)
      return [...findings, ...might]
    }),
    ...judgeHealthUser(spec, names),
  ]
}

function judgeText(spec: StackSpec, path: string, problem: AclTextProblem, { command }: Names): Finding {
  const { line, reason, kind, user } = problem
  const known = user !== undefined && Object.hasOwn(spec.users, user)
  const again = 'move the file away and have it made again, with the passwords of the other files'
  const fix = {
    refused: `Mend the line; or ${again}: ${command('secrets')}`,
    odd: `Mend the line; or ${again}: ${command('secrets')}`,
    plain: `Whoever read it knows it. Move the file away, then: ${command(known ? `secrets --rotate ${user}` : 'secrets --force')}`,
  }[kind]
  return fail(
    'users',
    `${path}: line ${line} ${reason}${kind === 'refused' ? ': the server would not start' : ''}`,
    fix,
  )
}

function judgeDefault(users: readonly AclUser[], path: string, { command }: Names): Finding[] {
  const found = users.find(({ name }) => name === 'default')
  if (found === undefined)
    return [
      fail(
        'user default',
        `${path} has no line for the user default: the server would be open to everybody, without a password`,
        command('secrets'),
      ),
    ]
  if (found.on)
    return [
      fail(
        'user default',
        `${path} has the user default on: whoever names no user is let in as it`,
        command('secrets'),
      ),
    ]
  return [ok('user default', 'off')]
}

/** A name that we would not write may be anything: it is not shown. */
function judgeStray(name: string, path: string, { command }: Names): Finding {
  const isName = USERNAME_PATTERN.test(name)
  return fail(
    isName ? `user ${name}` : 'users',
    `${path} has ${isName ? `the user ${name}` : 'a user'} that stack.yaml does not declare`,
    `Declare it in stack.yaml, or take it away: ${command('secrets')}`,
  )
}

type Where = { spec: StackSpec; facts: AclFacts; names: Names; path: string }

function judgeUser(
  { spec, facts, names, path }: Where,
  name: string,
  declared: StackUser,
  actual: AclUser | undefined,
): Finding[] {
  const check = `user ${name}`
  const { command } = names
  if (actual === undefined) return [fail(check, `${path} has no line for ${name}`, command('secrets'))]
  if (actual.nopass) return [fail(check, `${path} lets ${name} in without a password (nopass)`, command('secrets'))]
  const found: Finding[] = []
  if (!actual.on) found.push(fail(check, `${path} has ${name} off: nobody can log in as it`, command('secrets')))
  const onFile = facts.passwords.get(name) ?? []
  found.push(...judgePasswords(check, name, actual, onFile, path, names))
  const wanted = stackAclUser(spec, name, declared, actual.passwords)
  if (!sameAclUser({ ...actual, on: true }, wanted)) {
    const { words, isSpelling } = aclDifference(actual, wanted)
    const detail = `${path} has ${name} otherwise than stack.yaml: ${words.join('; ')}`
    const fix = `Put it into stack.yaml if it is meant, else: ${command('secrets --apply')}`
    found.push(isSpelling ? warn(check, `${detail}; what it may run is the same`, fix) : fail(check, detail, fix))
  }
  return found.length > 0 ? found : [ok(check, 'as stack.yaml says, one password')]
}

function judgePasswords(
  check: string,
  name: string,
  { passwords }: AclUser,
  onFile: readonly PasswordOnFile[],
  path: string,
  { shown, command }: Names,
): Finding[] {
  if (passwords.length === 0)
    return [fail(check, `${path} has no password for ${name}: nobody can log in as it`, command('secrets'))]
  const rotate = `Make a new one: ${command(`secrets --rotate ${name}`)}`
  const wrong = onFile.filter(({ sha256 }) => sha256 === null || !passwords.includes(sha256))
  if (wrong.length > 0)
    return wrong.map((file) =>
      file.sha256 === null
        ? fail(check, `${shown(file.path)} has no password in it`, rotate)
        : fail(check, `the password of ${name} in ${shown(file.path)} is not one that ${path} lets in`, rotate),
    )
  if (passwords.length === 1) return []
  // Which of them is the new one only a file can tell.
  const fix =
    onFile.length > 0
      ? `Once nobody uses the old one: ${command(`secrets --drop-old ${name} --apply`)}`
      : `None of them is on file. End them with a new one: ${command(`secrets --rotate ${name} --apply`)}`
  return [warn(check, `${passwords.length} passwords of ${name} are valid: a rotation is under way`, fix)]
}

/** What stack.yaml itself grants. */
function judgeDangerous(spec: StackSpec, name: string, user: StackUser, { command }: Names): Finding[] {
  const { commands } = stackAclUser(spec, name, user, [])
  const dangerous = dangerousAmong(permittedCommands(commands))
  if (dangerous.length === 0) return []
  return [
    warn(
      `user ${name}`,
      `stack.yaml lets ${name} run ${listed(dangerous)}, which reach beyond its keys`,
      `End its rules with -@admin and -@dangerous, and give back by name what it needs. Then: ${command('secrets --apply')}`,
    ),
  ]
}

function judgeHealthUser(spec: StackSpec, { command }: Names): Finding[] {
  const user = spec.users[spec.health_user]
  if (user === undefined) return []
  const may = permittedCommands(stackAclUser(spec, spec.health_user, user, []).commands)
  const missing = ['ping', 'info'].filter((name) => !may.has(name)).map((name) => name.toUpperCase())
  if (missing.length === 0) return []
  return [
    fail(
      `user ${spec.health_user}`,
      `the health check logs in as ${spec.health_user}, which may not run ${missing.join(' and ')}`,
      `Give it +ping and +info in stack.yaml, then: ${command('secrets --apply')}`,
    ),
  ]
}

/** The stack's own compose file, and its parts inside a file of somebody else's. */
import { dirname, isAbsolute, join, relative } from 'node:path'
import { Document, isMap, isScalar, isSeq, visit, type YAMLSeq } from 'yaml'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { type ComposeParts, type ComposePaths, handoverService, stackCompose } from '../domain/stack/compose.ts'
import type { StackSpec } from '../domain/stack/spec.ts'
import { shellWord } from '../domain/shell-quote.ts'
import { readText } from './files.ts'
import { shownPath, stackCommand } from './report.ts'
import type { StackPlace } from './stack-place.ts'
import { readYaml } from './yaml-text.ts'

/** Comments of the compose file, by the key that they stand before. */
const comments: Record<string, string> = {
  hostname: ' valkey.conf binds to this name, and the certificate carries it.',
  user: ' Whom the secrets, the keys and /data belong to: without any capability nobody else could read them.',
  command: ' No shell around it: the server itself hears `docker stop`, saves and ends with 0.',
  volumes: ' Single files: the directory of the certificates holds ca.key.',
}

/**
 * The stack's parts with paths as they are seen from a compose file.
 * @param file the compose file, @param root the stack's directory, both absolute
 */
export function partsFor(spec: StackSpec, root: string, file: string): ComposeParts {
  const seen = (path: string) => dotted(relative(dirname(file), isAbsolute(path) ? path : join(root, path)))
  const { secrets, config, certs, scripts } = spec.files
  const paths: ComposePaths = {
    secrets: seen(secrets),
    config: seen(config),
    certs: seen(certs),
    scripts: seen(scripts),
  }
  return stackCompose(spec, paths)
}

/** Docker takes `secrets/x` for a volume's name. */
const dotted = (path: string) => (path.startsWith('..') ? path : `./${path}`)

/**
 * A YAML text of these values that YAML 1.1 and 1.2 read alike (`999:1000` is a number in one of them).
 * @param notes whether our comments stand in it
 */
export function yamlOf(value: object, notes: boolean): string {
  const document = new Document(value, { version: '1.1', aliasDuplicateObjects: false })
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === 'string' && /^[\d:.]+$/.test(scalar.value)) scalar.type = 'QUOTE_DOUBLE'
    },
    Pair(_, { key }, ancestors) {
      if (!notes || !isScalar(key)) return
      if (ancestors.length === 2) key.spaceBefore = true
      const within = ancestors.at(-1)
      if (isMap(within) && within.has('hostname')) key.commentBefore = comments[String(key.value)] ?? null
    },
    Collection(_, node) {
      if (isMap(node) && node.has('source')) node.flow = true
      if (isSeq(node) && node.items.every((item) => isScalar(item)) && !isMountList(node)) node.flow = true
    },
  })
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

/** Mounts are read and changed one by one: a line each. */
const isMountList = ({ items }: YAMLSeq): boolean =>
  items.some((item) => isScalar(item) && String(item.value).includes(':/'))

/** A command on a stack, as a person types it. @param file its compose file */
export const composeLine = (file: string, words: string): string =>
  `docker compose -f ${shellWord(shownPath(file))} ${words}`

/** The line that starts a stack. */
export const startLine = (file: string): string => composeLine(file, 'up -d --wait')

/**
 * Makes sure that a compose file is ours to write: one with services of others is theirs, whatever it is asked for.
 * @throws CliError
 */
export function ownComposeFile({ root, spec }: StackPlace, path: string): void {
  const present = readText(path)
  const read = present === undefined ? undefined : readYaml(present)
  const value = read !== undefined && 'value' in read ? (read.value as { services?: object } | null) : null
  const ours = [spec.service.name, handoverService(spec)]
  const others = Object.keys(value?.services ?? {}).filter((name) => !ours.includes(name))
  if (others.length === 0) return
  throw new CliError(exitCodes.conflict, `${shownPath(path)} holds other services: ${others.join(', ')}`, {
    next: `Add to it instead: ${stackCommand(root, `compose --into ${shownPath(path)}`)}, and set files.compose_shared: true in stack.yaml`,
  })
}

/** The stack's own compose file. */
export function renderCompose(spec: StackSpec, root: string, file: string): string {
  const header = [
    'Written by `valkeep stack compose` from stack.yaml: change that, and write this anew.',
    `Start: docker compose -f ${spec.files.compose} up -d --wait`,
  ]
  const body = yamlOf({ name: spec.service.label, ...partsFor(spec, root, file) }, true)
  return `${header.map((line) => `# ${line}\n`).join('')}${body}`
}

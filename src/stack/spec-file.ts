/** stack.yaml as a file. */
import { Document, isMap, isScalar, isSeq, visit } from 'yaml'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { type StackSpec, stackSpecSchema } from '../domain/stack/spec.ts'
import { readYaml } from './yaml-text.ts'

export const SPEC_FILE = 'stack.yaml'

/** What a reader should know of a field, by its path. */
const comments: Record<string, string> = {
  prefix: ' Every key begins with it: {prefix} below.',
  engine:
    ' The oldest Valkey that the files must start on. Raise it with the image: rules for newer commands are then written.',
  users:
    ' Rules of users go to valkey_users.acl in this order, after -@all. Another user is another entry;\n' +
    ' password_file gives a user a file of its own, owner: "UID:GID" hands it to who reads it. Then: valkeep stack secrets --apply.',
  health_user: ' Whom the health check logs in as; its password_file is mounted into the container.',
  'server.io_threads': ' auto, or a number: more than the CPU limit carries costs most of the throughput.',
  'server.aof_file': ' Another name later means a start with no data.',
  'service.network_external': ' true: the network is there already, and not made by the compose file.',
  'service.user': ' UID:GID of the server. Its secrets, keys and certificates must be theirs.',
  files: ' Where the commands write, from this directory.',
  'files.compose_shared': ' true: the compose file is somebody else’s too, and the stack is added to it.',
}

/** @throws CliError naming every field that is wrong */
export function parseSpec(text: string, path: string): StackSpec {
  const wrong = (reasons: string[]) =>
    new CliError(exitCodes.usage, `${path} is wrong`, {
      reasons,
      next: 'Mend it, then run the same command again. docs/stack.md shows every field.',
    })
  const read = readYaml(text)
  if ('reason' in read) throw wrong([read.reason])
  const result = stackSpecSchema.safeParse(read.value)
  if (result.success) return result.data
  throw wrong(result.error.issues.map((issue) => `${fieldOf(issue.path)}: ${issue.message}`))
}

const fieldOf = (path: readonly PropertyKey[]): string =>
  path.length === 0
    ? 'the file'
    : path.map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${String(step)}`)).join('')

/** The file's text: the spec with what a reader should know beside it. */
export function renderSpec(spec: StackSpec): string {
  const document = new Document(spec)
  document.commentBefore = ' A Valkey stack: what `valkeep stack` writes follows from this file. It holds no secret.'
  visit(document, {
    Pair(_, pair, ancestors) {
      const names = [...ancestors, { key: pair.key }].flatMap((node) => keyOf(node))
      const comment = comments[names.join('.')]
      if (comment !== undefined && isScalar(pair.key)) pair.key.commentBefore = comment
      if (isMap(pair.value) && names.length === 1 && isScalar(pair.key)) pair.key.spaceBefore = true
      if (isSeq(pair.value)) pair.value.flow = true
    },
  })
  return document.toString({ lineWidth: 120, flowCollectionPadding: false })
}

const keyOf = (node: unknown): string[] => {
  const key = (node as { key?: unknown }).key
  return isScalar(key) ? [String(key.value)] : []
}

/** Where a stack is, what it declares, and whom its files are for. */
import { join, resolve } from 'node:path'
import type { Context } from '../cli/context.ts'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { defaultSpec } from '../domain/stack/default-spec.ts'
import { IMAGE_USER } from '../domain/stack/places.ts'
import type { StackSpec } from '../domain/stack/spec.ts'
import type { FilePlacement } from '../runtime/whole-file.ts'
import { readText } from './files.ts'
import { shownPath } from './report.ts'
import { parseSpec, SPEC_FILE } from './spec-file.ts'

export type StackPlace = {
  /** Absolute. */
  root: string
  /** stack.yaml is there; else the spec is the default one. */
  declared: boolean
  spec: StackSpec
}

/** Owner of a file that the container reads. Left out where only its writer could be. */
export type Owner = NonNullable<FilePlacement['owner']>

/** Root hands files to the image's user; anybody else runs the service as themselves. */
export function ownUser(): string {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
  return uid === 0 ? IMAGE_USER : `${uid}:${gid}`
}

/** The stack of a directory, or the default one where nothing is declared there. @throws CliError where stack.yaml is wrong */
export function openStack(dir: string): StackPlace {
  const root = resolve(dir)
  const file = join(root, SPEC_FILE)
  const text = readText(file)
  if (text === undefined) return { root, declared: false, spec: defaultSpec({ user: ownUser() }) }
  return { root, declared: true, spec: parseSpec(text, shownPath(file)) }
}

/** As openStack, for commands that make no sense without one. @throws CliError */
export function openDeclaredStack(dir: string): StackPlace {
  const place = openStack(dir)
  if (place.declared) return place
  throw new CliError(exitCodes.notFound, `There is no ${SPEC_FILE} in ${shownPath(place.root)}`, {
    next: 'Name the directory of a stack, or make one: valkeep stack init',
  })
}

/** Where a part of the stack lies: as given, else as declared, else the place it has without a stack. */
export function partPath(place: StackPlace, given: string | undefined, declared: string, alone: string): string {
  if (given !== undefined) return resolve(given)
  return place.declared ? resolve(place.root, declared) : resolve(alone)
}

/** Whom the files that the container reads belong to. @throws CliError as ownerOf */
export const fileOwner = ({ spec }: StackPlace): Owner | undefined =>
  ownerOf(spec.service.user, 'what the service reads')

/**
 * Whom a file is handed to. Only root can hand files over.
 * @param ids `UID:GID`; undefined is whoever writes it
 * @returns undefined where it is the writer's own already
 * @throws CliError where another user writes it: its reader could not read it
 */
export function ownerOf(ids: string | undefined, what: string): Owner | undefined {
  if (ids === undefined) return undefined
  const [uid = 0, gid = 0] = ids.split(':').map(Number)
  const self = process.getuid?.()
  if (self === 0) return { uid, gid }
  if (self === undefined || self === uid) return undefined
  throw new CliError(exitCodes.failed, `The user ${ids} needs ${what}, and only root can hand files over`, {
    next: `Run this as root, or set ${ownUser()} in ${SPEC_FILE}.`,
  })
}

/** Progress for a person, on stderr. */
export const say = (context: Context, text: string): void => void context.stderr.write(`${text}\n`)

/** Whether two ACL users mean the same, so that drift is judged by meaning and never by bytes (ACL SAVE rewrites them). */
import type { AclUser } from './acl-user.ts'
import { canonicalChannels, canonicalCommands, canonicalKeys } from './canonical.ts'
import { AclTextError, canonicalSelector } from './parse.ts'

const sameTexts = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((text, i) => text === b[i])

const asSet = (texts: readonly string[]): string[] => [...new Set(texts)].sort()

/** A selector that cannot be read is itself: equal only to the very same text. */
function selectorMeaning(selector: string): string {
  try {
    return canonicalSelector(selector)
  } catch (error) {
    if (error instanceof AclTextError) return selector
    throw error
  }
}

/**
 * Same name, state, passwords, commands (in valkey's canonical order: the order is part of the meaning), keys, channels,
 * selectors and other flags. The order of patterns, passwords and selectors does not matter.
 */
export function sameAclUser(a: AclUser, b: AclUser): boolean {
  return (
    a.name === b.name &&
    a.on === b.on &&
    a.nopass === b.nopass &&
    (a.nopass || sameTexts(asSet(a.passwords), asSet(b.passwords))) &&
    sameTexts(canonicalCommands(a.commands), canonicalCommands(b.commands)) &&
    sameTexts(canonicalKeys(a.keys), canonicalKeys(b.keys)) &&
    sameTexts(canonicalChannels(a.channels), canonicalChannels(b.channels)) &&
    sameTexts(asSet(a.selectors.map(selectorMeaning)), asSet(b.selectors.map(selectorMeaning))) &&
    sameTexts(asSet(a.others ?? []), asSet(b.others ?? []))
  )
}

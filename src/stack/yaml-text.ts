/** YAML that a person wrote: read with its comments, or refused in words. */
import { type Document, parseDocument } from 'yaml'

/**
 * @returns the document and what it means; or the first reason why it cannot be read, which repeats none of its values
 */
export function readYaml(text: string): { document: Document; value: unknown } | { reason: string } {
  const document = parseDocument(text, { merge: true })
  const [error] = document.errors
  if (error?.code === 'MULTIPLE_DOCS') return { reason: 'it holds more than one document' }
  if (error !== undefined) return { reason: error.message.split('\n')[0] ?? 'it is not YAML' }
  try {
    return { document, value: document.toJS({ maxAliasCount: 100 }) }
  } catch (failure) {
    // An alias of nothing, or so many that they would fill the memory.
    return { reason: (failure as Error).message }
  }
}

import { causes } from '../../src/domain/cause.ts'
import { problems } from '../../src/domain/problem.ts'
import { code, made, tableOf } from './markdown.ts'

/** docs/reference/errors.md: both catalogues. */
export function errorsReference(): string {
  const refusals = Object.entries(problems).map(([name, entry]) => [
    code(name),
    String(entry.status),
    entry.title,
    entry.remedy,
    'retryable' in entry ? 'yes' : '',
  ])
  const failures = Object.entries(causes).map(([name, { title, remedy }]) => [code(name), title, remedy])
  return `# Errors

${made}
## Refused requests

Every error of the API is a problem document (RFC 9457, \`application/problem+json\`): \`type\` is \`urn:valkeep:problem:CODE\`, and
\`code\` is what a program should look at. \`errors\` names the fields at fault by JSON pointer, \`request_id\` finds the request in the
log. Refused requests wrote nothing. Where \`retryable\` is true the same request may succeed later; wait as long as \`Retry-After\` says.

${tableOf(['code', 'status', 'title', 'what to do', 'retryable'], refusals)}
## Failed operations

An operation that failed has a \`cause\`: a code of this table, a message that says what happened here, and a remedy. The message
and the remedy are also the \`status_message\` of the instance or user. [Recovery](../recovery.md) says more about each that needs a person.

${tableOf(['code', 'what happened', 'what to do'], failures)}`
}

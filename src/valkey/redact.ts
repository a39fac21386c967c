const HIDDEN = '[…]'

/** Commands whose second word, in capitals as we write them, is a subcommand and no secret. */
const containers = new Set(['ACL', 'CLIENT', 'CLUSTER', 'COMMAND', 'CONFIG', 'LATENCY', 'MEMORY', 'SCRIPT'])

/**
 * An error reply without the arguments that caused it: servers echo what they do not understand, a password among it.
 * @param args the command as sent; its name and subcommand may stay
 * @param reveal arguments that are known to be no secret and make the message useful, such as directive names
 */
export function redactReply(
  message: string,
  args: readonly (string | Buffer)[],
  reveal: readonly string[] = [],
): string {
  const first = containers.has(String(args[0])) && /^[A-Z]+$/.test(String(args[1])) ? 2 : 1
  const hidden = args
    .slice(first)
    .map((arg) => (typeof arg === 'string' ? arg : arg.toString('latin1')))
    .filter((arg) => arg !== '' && !reveal.includes(arg))
    .flatMap((arg) => [arg, arg.replace(/[\r\n]/g, ' ')]) // an error reply is one line: the server blanks line breaks
    .toSorted((a, b) => b.length - a.length)
  // This one cuts the arguments it echoes at 128 bytes, so that they would not be found whole.
  let text = message.replace(/, with args beginning with:.*$/s, '')
  for (const arg of hidden) {
    text = text.replaceAll(`'${arg}'`, `'${HIDDEN}'`)
    // A short word would be found inside ordinary ones; between quotes it is gone already.
    if (arg.length >= 4) text = text.replaceAll(arg, HIDDEN)
  }
  return text
}

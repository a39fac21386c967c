/** RESP 3 as far as one connection that sends commands needs it: https://valkey.io/topics/protocol/ */

/** An error reply, at the top or inside of another. */
export class RespError extends Error {}

/** Bytes that are no RESP: what follows them cannot be understood either. */
export class RespMalformed extends Error {}

export type Decoder = {
  /** Takes what was read; hands over each reply that is whole, in order. @throws RespMalformed */
  write(chunk: Buffer): void
}

/** One command as the server reads it. */
export function encodeCommand(args: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, lineEnd)
  }
  return Buffer.concat(parts)
}

const lineEnd = Buffer.from('\r\n')

/**
 * Longest reply, in bytes: the ACL of as many users as an instance may have is a quarter of it. A tenant can have pushes
 * that name its keys sent to any connection (CLIENT TRACKING … REDIRECT), ours among them, and a key's name may be long.
 */
const maxReplyBytes = 16 * 1024 * 1024

/** @param onReply called with each reply; pushes and attributes, which answer nothing, are left out */
export function makeDecoder(onReply: (reply: unknown) => void): Decoder {
  let rest: Buffer = Buffer.alloc(0)
  return {
    write(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const reader: Reader = { bytes: rest, at: 0 }
      let whole = 0
      try {
        while (reader.at < rest.length) {
          const isReply = !'>|'.includes(String.fromCharCode(rest[reader.at] ?? 0))
          const reply = value(reader)
          whole = reader.at
          if (isReply) onReply(reply)
        }
      } catch (error) {
        if (error !== incomplete) throw error
      }
      rest = rest.subarray(whole)
      if (rest.length > maxReplyBytes) throw new RespMalformed(`a reply has more than ${maxReplyBytes} bytes`)
    },
  }
}

type Reader = { readonly bytes: Buffer; at: number }

/** Thrown where the bytes end within a value: it is read again from its start once there are more. */
const incomplete = new Error('incomplete')

function line(reader: Reader): string {
  const end = reader.bytes.indexOf(lineEnd, reader.at)
  if (end < 0) throw incomplete
  const text = reader.bytes.toString('utf8', reader.at, end)
  reader.at = end + lineEnd.length
  return text
}

/** A value by its first byte. Streamed values (`?` as length) are never sent by Valkey. */
function value(reader: Reader): unknown {
  const head = line(reader)
  const text = head.slice(1)
  switch (head.charAt(0)) {
    case '+':
    case '(':
      return text
    case '-':
      return new RespError(text)
    case ':':
    case ',':
      return Number(text)
    case '#':
      return text === 't'
    case '_':
      return null
    case '$':
      return text === '-1' ? null : bulk(reader, text)
    case '=':
      // Its format comes first: `txt:`.
      return bulk(reader, text).slice(4)
    case '!':
      return new RespError(bulk(reader, text))
    case '*':
      return text === '-1' ? null : values(reader, length(text))
    case '~':
    case '>':
      return values(reader, length(text))
    case '%':
    case '|':
      return map(values(reader, 2 * length(text)))
    default:
      throw new RespMalformed('the server does not speak RESP')
  }
}

function length(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new RespMalformed('a length is no number')
  return Number(text)
}

function bulk(reader: Reader, text: string): string {
  const end = reader.at + length(text)
  if (end + lineEnd.length > reader.bytes.length) throw incomplete
  const content = reader.bytes.toString('utf8', reader.at, end)
  reader.at = end + lineEnd.length
  return content
}

function values(reader: Reader, count: number): unknown[] {
  const list: unknown[] = []
  for (let read = 0; read < count; read++) list.push(value(reader))
  return list
}

function map(list: readonly unknown[]): Record<string, unknown> {
  const result: Record<string, unknown> = Object.create(null)
  for (let at = 0; at < list.length; at += 2) result[String(list[at])] = list[at + 1]
  return result
}

/** What can go wrong between us and one server. No message holds an argument of a command, nor a credential. */

/** No connection, or it broke. `code` is the system's (`ECONNREFUSED`, `ENOENT`, …) where there is one. */
export class ValkeyUnreachable extends Error {
  readonly code: string | undefined

  constructor(message: string, code?: string) {
    super(message)
    this.name = 'ValkeyUnreachable'
    this.code = code
  }
}

/** No answer within the deadline. Whether the command took effect is unknown, and the connection is closed. */
export class ValkeyTimeout extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ValkeyTimeout'
  }
}

/** The server refused our name and password. */
export class ValkeyRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ValkeyRefused'
  }
}

/** The certificate served is not to be trusted: another CA, another name, expired. `code` is OpenSSL's or Node's. */
export class ValkeyUntrusted extends Error {
  readonly code: string

  constructor(code: string) {
    super(`the server's certificate is not trusted: ${code}`)
    this.name = 'ValkeyUntrusted'
    this.code = code
  }
}

/** The server answered with an error. `code` is its first word (`ERR`, `NOPERM`, `LOADING`, …). */
export class ValkeyReplyError extends Error {
  readonly code: string

  constructor(message: string) {
    super(message)
    this.name = 'ValkeyReplyError'
    this.code = /^[A-Z]+/.exec(message)?.[0] ?? 'ERR'
  }
}

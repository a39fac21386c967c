/** One line of valkey.conf by meaning: a name and its arguments, unquoted. */
export type Directive = { name: string; args: string[] }

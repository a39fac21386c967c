/** Which names a server's certificate carries. */

/** @property addresses in one spelling each */
export type ServerNames = { dns: readonly string[]; addresses: readonly string[] }

/** A name itself, or a `*.` one level above it. */
function covers(carried: readonly string[], wanted: string): boolean {
  const name = wanted.toLowerCase()
  const at = name.indexOf('.')
  const wild = at === -1 ? name : `*${name.slice(at)}`
  return carried.some((each) => [name, wild].includes(each.toLowerCase()))
}

/** What of the wanted names and addresses clients would refuse a certificate for. */
export const missingNames = (carried: ServerNames, wanted: ServerNames): string[] => [
  ...wanted.dns.filter((name) => !covers(carried.dns, name)),
  ...wanted.addresses.filter((address) => !carried.addresses.includes(address)),
]

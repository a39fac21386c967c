/** Names of a cluster's pods and Services, for programs that run in its network and are otherwise this machine's. */
import dns from 'node:dns'

type Found = (error: Error | null, address?: string | dns.LookupAddress[], family?: number) => void

/** From here on `net` and `tls` look up names at this server, where nothing else is said. */
export function lookUpAt(server: string): void {
  const resolver = new dns.promises.Resolver({ timeout: 300, tries: 4 })
  resolver.setServers([server])
  const lookup = (host: string, options: dns.LookupOptions | Found, callback?: Found): void => {
    const found = typeof options === 'function' ? options : callback
    const all = typeof options === 'object' && options.all === true
    const answer = /^[\d.]+$/.test(host) ? Promise.resolve([host]) : resolver.resolve4(host)
    answer.then(
      ([address = '']) => (all ? found?.(null, [{ address, family: 4 }]) : found?.(null, address, 4)),
      (error: Error) => found?.(error),
    )
  }
  dns.lookup = lookup as typeof dns.lookup
}

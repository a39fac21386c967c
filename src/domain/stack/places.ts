/** Where a stack's files stand inside its container, and who the image's own user is. The compose file mounts them there. */

export const inContainer = {
  conf: '/etc/valkey/valkey.conf',
  tlsDir: '/etc/valkey/tls',
  acl: '/run/secrets/valkey_acl',
  password: '/run/secrets/valkey_password',
  data: '/data',
  health: '/usr/local/bin/valkey-health',
} as const

/** User and group of the official alpine image (facts §6); its /data is theirs. */
export const IMAGE_USER = '999:1000'

/** Every certificate file of a stack, by what it is. */
export const certificateFiles = {
  caKey: 'ca.key',
  caCert: 'ca.crt',
  serverKey: 'server.key',
  serverCert: 'server.crt',
  clientKey: 'client.key',
  clientCert: 'client.crt',
} as const

/** What of them the container gets: the server's own pair, the pair of its health check, and the CA; never ca.key. */
export const mountedCertificates = [
  certificateFiles.caCert,
  certificateFiles.serverCert,
  certificateFiles.serverKey,
  certificateFiles.clientCert,
  certificateFiles.clientKey,
] as const

/** Names of the files that hold secrets, beside each user's own `password_file`. */
export const secretFiles = {
  acl: 'valkey_users.acl',
  env: 'credentials.env.example',
} as const

/** Names of the scripts that do the same without Node. */
export const scriptFiles = {
  certs: 'generate-valkey-certs.sh',
  secrets: 'generate-valkey-secrets.sh',
  health: 'valkey-health.sh',
} as const

/** What git must not see of a stack, as lines of a .gitignore beside its stack.yaml. */
export function ignoredPaths({ files }: { files: { secrets: string; certs: string } }): string[] {
  // A pattern that begins with ./ matches nothing.
  const [secrets, certs] = [files.secrets, files.certs].map((path) => path.replace(/^(\.\/+)+|\/+$/g, '')) as [
    string,
    string,
  ]
  return [secrets.split('/').at(-1) === 'secrets' ? 'secrets/' : `${secrets}/`, `${certs}/*.key`]
}

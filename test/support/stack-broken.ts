/** Stacks that are broken in one way each, and what `valkeep stack check` has to say of it. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type CertificateRequest, createAuthority, makeIssuer } from '../../src/vault/authority.ts'
import { sha256Hex } from '../../src/vault/random.ts'
import type { Expected } from './stack-check.ts'

/** A file in place of another, as its owner's editor writes it. */
const edit = (path: string, change: (text: string) => string) => (dir: string) => {
  const file = join(dir, path)
  const text = readFileSync(file, 'utf8')
  const changed = change(text)
  assert.notEqual(changed, text, path)
  writeFileSync(file, changed)
}

const dayMs = 86_400_000
/** A pair of the stack's own authority that is not as it should be, in place of the server's. */
const issued = (request: Partial<CertificateRequest>, startsIn = 0) =>
  replaceServer(request, startsIn, (dir) =>
    Promise.resolve({
      keyPem: readFileSync(join(dir, 'certs/valkey/ca.key'), 'utf8'),
      certPem: readFileSync(join(dir, 'certs/valkey/ca.crt'), 'utf8'),
    }),
  )

const caSubject = [
  { type: 'CN' as const, value: 'Molis-Valkey-CA' },
  { type: 'O' as const, value: 'OdraLabs' },
]
const foreign = () =>
  replaceServer({}, 0, () => createAuthority({ subject: caSubject, notBefore: new Date(), days: 365 }))

const replaceServer =
  (
    request: Partial<CertificateRequest>,
    startsIn: number,
    authority: (dir: string) => ReturnType<typeof createAuthority>,
  ) =>
  async (dir: string) => {
    const issuer = await makeIssuer(await authority(dir))
    const { certPem, keyPem } = await issuer.issue({
      subject: [
        { type: 'CN', value: 'valkey' },
        { type: 'O', value: 'OdraLabs' },
      ],
      dnsNames: ['valkey', 'localhost'],
      ipAddresses: ['127.0.0.1', '::1'],
      usages: ['server'],
      now: new Date(Date.now() + startsIn * dayMs),
      days: 365,
      ...request,
    })
    writeFileSync(join(dir, 'certs/valkey/server.crt'), certPem)
    writeFileSync(join(dir, 'certs/valkey/server.key'), keyPem)
  }

const acl = 'deploy/secrets/valkey_users.acl'
const conf = 'config/valkey.conf'
const compose = 'deploy/docker-compose.yml'
const remove = (path: string) => (dir: string) => rmSync(join(dir, path), { recursive: true })
const inService = (line: string) =>
  edit(compose, (text) => text.replace('    hostname: valkey\n', `    hostname: valkey\n    ${line}\n`))
const inEnvironment = (line: string) =>
  edit(compose, (text) => text.replace('      VALKEY_HOST', `      ${line}\n      VALKEY_HOST`))
const addAcl = (line: string) => edit(acl, (text) => text.replace('\n', `\n${line}\n`))

export type Broken = {
  breaks: (dir: string) => void | Promise<void>
  expected: Expected[]
  /** Before the line that is offered: what its fix asks a person to do first. null: a person has to choose. */
  first?: ((dir: string) => void) | null
}

export const fails = (name: string, detail: RegExp): Expected[] => [['fail', name, detail]]
const warns = (name: string, detail: RegExp): Expected[] => [['warn', name, detail]]

/** What stands where a secret could: no output may hold it. */
export const mark = 'KanariKanariKanariKanariKanari42'

/** The cases by name. */
export const brokenStacks: Record<string, Broken> = {
  'a secret that nobody may read': {
    breaks: (dir) => chmodSync(join(dir, acl), 0),
    expected: fails('owners', /cannot read \S+valkey_users\.acl .*: the server would end at once, again and again/),
  },
  'a certificate that is missing': {
    breaks: remove('certs/valkey/server.crt'),
    expected: fails('files', /server\.crt is missing: docker would not start the service/),
  },
  'a key that is missing': {
    breaks: remove('certs/valkey/client.key'),
    expected: fails('files', /client\.key is missing/),
  },
  'a directory that docker made': {
    breaks: (dir) => {
      remove('certs/valkey/server.crt')(dir)
      mkdirSync(join(dir, 'certs/valkey/server.crt'))
    },
    expected: fails('files', /server\.crt is a directory/),
  },
  'no ACL file': { breaks: remove(acl), expected: fails('files', /valkey_users\.acl is missing/) },
  'no configuration': { breaks: remove(conf), expected: fails('files', /valkey\.conf is missing/) },
  'no compose file': { breaks: remove(compose), expected: fails('files', /docker-compose\.yml is missing/) },
  'no health script': { breaks: remove('scripts/valkey-health.sh'), expected: fails('files', /valkey-health\.sh/) },
  'credentials that were handed out': {
    breaks: remove('deploy/secrets/credentials.env.example'),
    expected: [],
  },
  'an authority whose key is elsewhere': { breaks: remove('certs/valkey/ca.key'), expected: [] },
  'an open key': {
    breaks: (dir) => chmodSync(join(dir, 'certs/valkey/ca.key'), 0o644),
    expected: fails('permissions', /ca\.key \(0644\) is open to others/),
  },
  'an open directory of secrets': {
    breaks: (dir) => chmodSync(join(dir, 'deploy/secrets'), 0o755),
    expected: fails('permissions', /deploy\/secrets \(0755\)/),
  },
  'a script that cannot be run': {
    breaks: (dir) => chmodSync(join(dir, 'scripts/valkey-health.sh'), 0o644),
    expected: fails('owners', /cannot run \S+valkey-health\.sh/),
  },
  'the wrong key': {
    breaks: (dir) =>
      writeFileSync(join(dir, 'certs/valkey/client.key'), readFileSync(join(dir, 'certs/valkey/server.key'))),
    expected: fails('certificate client.crt', /client\.key is not the key of \S+client\.crt/),
  },
  'a key that is none': {
    breaks: (dir) => writeFileSync(join(dir, 'certs/valkey/client.key'), mark),
    expected: fails('certificate client.crt', /client\.key cannot be read as a private key/),
  },
  'a certificate of another authority': {
    breaks: foreign(),
    expected: fails('certificate server.crt', /is not signed by ca\.crt/),
  },
  'a certificate that has expired': {
    breaks: issued({ days: 365 }, -400),
    expected: fails('certificate server.crt', /expired on/),
  },
  'a certificate that is not valid yet': {
    breaks: issued({ days: 30 }, 10),
    expected: fails('certificate server.crt', /not valid before/),
  },
  'a certificate that ends soon': {
    breaks: issued({ days: 320 }, -300),
    expected: warns('certificate server.crt', /ends in (19|20) days/),
  },
  'a certificate for clients': {
    breaks: issued({ usages: ['client'] }),
    expected: fails('certificate server.crt', /is not for a server/),
  },
  'a certificate without the name of the service': {
    breaks: issued({ dnsNames: ['localhost'] }),
    expected: fails('certificate server.crt', /does not carry valkey/),
  },
  'no line for default': {
    breaks: edit(acl, (text) => text.replace(/^user default.*\n/, '')),
    expected: fails('user default', /open to everybody/),
  },
  'a comment in the ACL file': {
    breaks: addAcl(`# ${mark}`),
    expected: fails('users', /line 2 is a comment/),
    first: remove(acl),
  },
  'a user twice': {
    breaks: addAcl('user default off'),
    expected: fails('users', /line 2 names a user a second time/),
    first: remove(acl),
  },
  'a user that nobody declared': {
    breaks: addAcl(`user guest on >${mark}`),
    expected: fails('users', /plain text/),
    first: remove(acl),
  },
  'a user without a password': {
    breaks: edit(acl, (text) => text.replace(/(user mcp-admin on) #\w+/, '$1 nopass')),
    expected: fails('user mcp-admin', /nopass/),
  },
  'a right more': {
    breaks: edit(acl, (text) => text.replace(/(user mcp-agent .*)/, '$1 +flushall')),
    expected: fails('user mcp-agent', /\+flushall; so it may run FLUSHALL/),
  },
  'a rotation under way': {
    breaks: edit(acl, (text) => text.replace(/(user mcp-agent on)/, `$1 #${sha256Hex(mark)}`)),
    expected: warns('user mcp-agent', /2 passwords of mcp-agent are valid/),
  },
  'a password that nobody let in': {
    breaks: edit('deploy/secrets/valkey_password.txt', () => `${mark}\n`),
    expected: fails('user healthcheck', /in \S+valkey_password\.txt is not one that \S+valkey_users\.acl lets in/),
  },
  'a port without TLS': {
    breaks: edit(conf, (text) => text.replace('\nport 0\n', '\nport 6379\n')),
    expected: fails('valkey.conf', /port 6379/),
  },
  'a comment behind a directive': {
    breaks: edit(conf, (text) => text.replace('\nmaxclients 100\n', `\nmaxclients 100 # ${mark}\n`)),
    expected: fails('valkey.conf', /line \d+ has a comment behind a directive/),
  },
  requirepass: {
    breaks: (dir) => appendFileSync(join(dir, conf), `requirepass ${mark}\n`),
    expected: fails('valkey.conf', /requirepass/),
  },
  'a privileged container': {
    breaks: inService('privileged: true'),
    expected: fails('compose privileges', /privileged/),
  },
  'a container that is privileged in another word': {
    breaks: inService('privileged: yes'),
    expected: fails('compose privileges', /privileged/),
  },
  'arguments by the environment': {
    breaks: inEnvironment('VALKEY_EXTRA_FLAGS: --port 6380 --bind 0.0.0.0'),
    expected: fails('compose environment', /VALKEY_EXTRA_FLAGS/),
  },
  'a program at the start': {
    breaks: inService('post_start: [{command: [sh], user: root}]'),
    expected: fails('compose keys', /services\.valkey\.post_start/),
  },
  'none of it': { breaks: inService('scale: 0'), expected: fails('compose keys', /services\.valkey\.scale/) },
  'a volume that is a directory of the host': {
    breaks: edit(compose, (text) =>
      text.replace(
        '    name: molis-valkey-data\n',
        '    name: molis-valkey-data\n    driver_opts: {type: none, o: bind, device: /etc}\n',
      ),
    ),
    expected: fails('compose keys', /volumes\.valkey-data\.driver_opts may be any directory/),
  },
  'a note': { breaks: inService('x-note: by me'), expected: warns('compose keys', /services\.valkey\.x-note/) },
  'a line that docker compose takes away': {
    breaks: edit(compose, (text) => text.replaceAll('read_only: true\n', 'read_only: !reset true\n')),
    expected: fails('compose file', /!reset: docker compose changes/),
  },
  'a health check of somebody else’s': {
    breaks: (dir) => appendFileSync(join(dir, 'scripts/valkey-health.sh'), 'exit 0\n'),
    expected: fails('scripts', /valkey-health\.sh is not as it is made/),
  },
  'a generator of older rules': {
    breaks: edit('scripts/generate-valkey-secrets.sh', (text) => text.replace('-@dangerous', '')),
    expected: warns('scripts', /generate-valkey-secrets\.sh .* other rules/),
  },
  'a directory that its group may write': {
    breaks: (dir) => chmodSync(join(dir, 'certs'), 0o775),
    expected: fails('permissions', /its group may write \S+certs \(0775\): anybody of it could swap the files/),
  },
  'a stack.yaml that everybody may write': {
    breaks: (dir) => chmodSync(join(dir, 'stack.yaml'), 0o666),
    expected: fails('permissions', /everybody may write \S+stack\.yaml/),
  },
  'a password in the environment': {
    breaks: inEnvironment(`REDISCLI_AUTH: ${mark}`),
    expected: fails('compose environment', /REDISCLI_AUTH/),
  },
  'every certificate in the container': {
    breaks: edit(compose, (text) =>
      // Of the server, which comes after the service that hands it the volume.
      text.replace(/(.*)- valkey-data:\/data\n/s, '$1- valkey-data:/data\n      - ../certs/valkey:/certs:ro\n'),
    ),
    expected: fails('compose host', /\.\.\/certs\/valkey brings ca\.key/),
  },
  'a compose file that is no YAML': {
    breaks: edit(compose, (text) => text.replace('    hostname', '   hostname')),
    expected: fails('compose file', /is not YAML: .* at line \d+/),
  },
  'nothing ignored': {
    breaks: remove('.gitignore'),
    expected: warns('.gitignore', /secrets\/ and certs\/valkey\/\*\.key/),
  },
  'little room for a save': {
    breaks: edit('stack.yaml', (text) => text.replace('maxmemory_mb: 256', 'maxmemory_mb: 500')),
    expected: [...warns('stack.yaml memory', /\(98%\)/), ...warns('valkey.conf', /maxmemory 256mb where .* 500mb/)],
    first: null,
  },
}

/** What git does with a stack's secrets; it writes none of what it adds beyond its index. */
const git =
  (...words: string[]) =>
  (dir: string) => {
    const { status, stderr } = spawnSync('git', ['-C', dir, ...words], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  }
const each =
  (...steps: ((dir: string) => void)[]) =>
  (dir: string) => {
    for (const step of steps) step(dir)
  }

/** Where git is at hand. */
export const brokenByGit: Record<string, Broken> = {
  'a work tree that ignores them': { breaks: git('init', '-q'), expected: [] },
  'a work tree that ignores them elsewhere': {
    breaks: each(remove('.gitignore'), git('init', '-q'), (dir) =>
      appendFileSync(join(dir, '.git/info/exclude'), 'deploy/secrets/\n*.key\n'),
    ),
    expected: [],
  },
  'secrets that the next commit takes': {
    breaks: each(
      git('init', '-q'),
      edit('.gitignore', (text) => text.replace('secrets/\n', '')),
    ),
    expected: fails('.gitignore', /git does not ignore \S+valkey_users\.acl/),
  },
  'a key that is let in again': {
    breaks: each(git('init', '-q'), (dir) => appendFileSync(join(dir, '.gitignore'), '!certs/valkey/ca.key\n')),
    expected: fails('.gitignore', /git does not ignore \S+certs\/valkey\/ca\.key: /),
  },
  'secrets that git holds': {
    breaks: each(git('init', '-q'), git('add', '-f', 'deploy/secrets')),
    expected: fails('.gitignore', /git holds \S+valkey_users\.acl, .*: whoever has the repository/),
  },
  'secrets that really lie in another repository': {
    breaks: (dir) => {
      const elsewhere = `${dir}-elsewhere`
      mkdirSync(elsewhere)
      renameSync(join(dir, 'deploy/secrets'), join(elsewhere, 'secrets'))
      symlinkSync(join(elsewhere, 'secrets'), join(dir, 'deploy/secrets'))
      git('init', '-q')(elsewhere)
    },
    expected: fails('.gitignore', /git does not ignore \S+deploy\/secrets\/valkey_users\.acl/),
  },
  'a repository that gives no answer': {
    breaks: each(remove('.gitignore'), (dir) => writeFileSync(join(dir, '.git'), 'gitdir: nowhere\n')),
    expected: warns('.gitignore', /does not keep git from secrets\//),
  },
}

/** Only root can take a file from the container's user. */
export const takenByRoot: Broken = {
  breaks: (dir) => chownSync(join(dir, acl), 0, 0),
  expected: fails('owners', /user 999:1000 of the container cannot read \S+ \(owner 0:0, 0600\)/),
}

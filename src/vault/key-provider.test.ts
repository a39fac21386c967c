import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileKeyProvider } from './key-provider.ts'
import { VaultError, type VaultErrorCode } from './vault-error.ts'

const dir = mkdtempSync(join(tmpdir(), 'valkeep-keys-'))
after(() => rmSync(dir, { recursive: true }))

let count = 0
/** A path in an empty directory of its own. */
const freshPath = (): string => {
  count += 1
  mkdirSync(join(dir, String(count)))
  return join(dir, String(count), "kek 'of' us")
}
const line = (id: string) => `${id}:${randomBytes(32).toString('base64')}`
const write = (text: string, mode = 0o600): string => {
  const path = freshPath()
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}
const refusal = (code: VaultErrorCode, path: string, create = false): VaultError => {
  try {
    fileKeyProvider({ path, create })
  } catch (error) {
    assert.ok(error instanceof VaultError, String(error))
    assert.equal(error.code, code, error.message)
    return error
  }
  return assert.fail('the key file was accepted')
}

test('a new store gets a key file: 0600, one line, nothing beside it, and the same key ever after', () => {
  const path = freshPath()
  const first = fileKeyProvider({ path, create: true })
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.match(readFileSync(path, 'utf8'), /^k[0-9a-f]{12}:[A-Za-z0-9+/]{43}=\n$/)
  assert.deepEqual(readdirSync(join(path, '..')), ["kek 'of' us"])
  const { keyId, wrapped } = first.wrap(Buffer.from('data key'))
  assert.equal(keyId, first.currentKeyId)
  for (const create of [true, false]) {
    assert.equal(fileKeyProvider({ path, create }).unwrap(keyId, wrapped).toString(), 'data key')
  }
})

test('a umask of 0 does not open the new file', () => {
  const path = freshPath()
  const old = process.umask(0)
  try {
    fileKeyProvider({ path, create: true })
  } finally {
    process.umask(old)
  }
  assert.equal(statSync(path).mode & 0o777, 0o600)
})

test('a missing key of an existing store is an error that says so, and makes nothing', () => {
  const path = freshPath()
  const error = refusal('key-file-missing', path)
  assert.match(error.message, /nothing can be unsealed/)
  assert.match(error.message, /backup/)
  assert.deepEqual(readdirSync(join(path, '..')), [])
})

test('what a killed creation left is removed by the next start, and nothing else is', () => {
  const path = freshPath()
  const killedBeforeLink = `${path}.0123456789ab.new`
  writeFileSync(killedBeforeLink, 'k1:half', { mode: 0o600 })
  const bystander = `${path}.backup`
  writeFileSync(bystander, 'x')
  const { currentKeyId } = fileKeyProvider({ path, create: true })
  const killedAfterLink = `${path}.ba9876543210.new`
  linkSync(path, killedAfterLink)
  assert.equal(fileKeyProvider({ path, create: true }).currentKeyId, currentKeyId)
  assert.deepEqual(readdirSync(join(path, '..')).sort(), ["kek 'of' us", "kek 'of' us.backup"])
})

test('processes that create at once all end with the same key', async () => {
  const path = freshPath()
  const module = join(import.meta.dirname, 'key-provider.ts')
  const program = `import { fileKeyProvider } from ${JSON.stringify(module)}
    process.stdin.once('data', () => {
      console.log(fileKeyProvider({ path: ${JSON.stringify(path)}, create: true }).currentKeyId)
      process.exit()
    })
    console.log('waiting')`
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] }),
  )
  const outputs = children.map(() => '')
  children.forEach((child, index) => child.stdout.on('data', (chunk) => (outputs[index] += chunk)))
  const closed = children.map((child) => once(child, 'close'))
  await Promise.all(children.map((child) => once(child.stdout, 'data')))
  for (const child of children) child.stdin.end('go')
  await Promise.all(closed)
  const [id] = readFileSync(path, 'utf8').split(':')
  assert.deepEqual(
    outputs,
    children.map(() => `waiting\n${id}\n`),
  )
  assert.deepEqual(readdirSync(join(path, '..')), ["kek 'of' us"])
})

test('a file that others may read is refused with the line that mends it', () => {
  for (const mode of [0o640, 0o604, 0o620, 0o666]) {
    const path = write(`${line('k1')}\n`, mode)
    const { message } = refusal('key-file-unsafe', path)
    const command = message.split('Run: ')[1] ?? ''
    assert.match(command, /^chmod 600 /)
    execFileSync('sh', ['-c', command])
    assert.equal(fileKeyProvider({ path }).currentKeyId, 'k1')
  }
  assert.equal(fileKeyProvider({ path: write(line('k1'), 0o400) }).currentKeyId, 'k1')
})

test('a file of another owner is refused', {
  skip: process.geteuid?.() !== 0 && 'needs root to give a file away',
}, () => {
  const path = write(`${line('k1')}\n`)
  chownSync(path, 12345, 12345)
  const { message } = refusal('key-file-unsafe', path)
  assert.match(message, /user 12345/)
  assert.match(message, /chown 0 /)
})

test('lists of keys: the first is current, all unwrap, a link to the file is followed', () => {
  const [one, two] = [line('one'), line('two')]
  const path = write(`${two}\n${one}\n\n`)
  const link = `${path}-link`
  symlinkSync(path, link)
  const old = fileKeyProvider({ path: write(one) }).wrap(Buffer.from('old'))
  const provider = fileKeyProvider({ path: link })
  assert.equal(provider.currentKeyId, 'two')
  assert.equal(provider.unwrap(old.keyId, old.wrapped).toString(), 'old')
})

test('a file that is not in the format is refused by line, never quoting it', () => {
  const good = line('k1')
  const material = good.slice(3)
  for (const text of [
    '',
    '\n',
    material,
    `${good}\nk2:${material.slice(4)}`,
    `K1:${material}`,
    `${good}\n${good}`,
    `k1: ${material}`,
  ]) {
    const { message } = refusal('key-file-unusable', write(text), true)
    assert.equal(message.includes(material.slice(4, 20)), false, message)
  }
  assert.match(refusal('key-file-unusable', write(`${good}\nbroken`)).message, /line 2/)
})

test('what is no regular file, or has no directory, is refused at once', () => {
  const directory = freshPath()
  mkdirSync(directory, 0o700)
  refusal('key-file-unusable', directory, true)
  const pipe = freshPath()
  execFileSync('mkfifo', ['-m', '600', pipe])
  refusal('key-file-unusable', pipe, true)
  refusal('key-file-unusable', join(freshPath(), 'missing', 'kek'), true)
})

test('keys do not show when a provider is logged', () => {
  const text = line('k1')
  const provider = fileKeyProvider({ path: write(text) })
  assert.equal(JSON.stringify(provider), '{"currentKeyId":"k1"}')
})

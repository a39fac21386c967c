/**
 * What each user of a stack may do with which keys, as the engine itself decides it: every command of every engine, asked by
 * ACL DRYRUN on a server without the configuration's renames. One table a version and preset, kept and reviewed:
 *   VALKEEP_UPDATE_GOLDEN=1 npm test -- --only stack-acl
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Command } from '../../src/domain/acl/command-table.ts'
import { runnableCommands, sampleWords, touchesChannels, touchesKeys } from '../../src/domain/acl/probe.ts'
import { renderAclFile } from '../../src/domain/acl/render.ts'
import { stackAcl } from '../../src/domain/stack/acl.ts'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { type StackPreset, stackPresetNames } from '../../src/domain/stack/presets.ts'
import type { StackSpec } from '../../src/domain/stack/spec.ts'
import { sha256Hex } from '../../src/vault/random.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { type RawValkey, startRawValkey } from '../support/raw-valkey.ts'

/** A key of each kind, by the letter that stands for it in the tables. */
const keys = {
  b: 'molis:blocked:1',
  a: 'molis:approved:1',
  c: 'molis:config:1',
  l: 'molis:log:events',
  o: 'molis:other',
  x: 'foreign:1',
}
const PASSWORD = 'of the test alone'

/** The stack's ACL as its file has it, with one more user that may ask. */
async function startTwin(binary: string, spec: StackSpec): Promise<RawValkey> {
  const dir = mkdtempSync(join(tmpdir(), 'vk-acl-'))
  const aclfile = join(dir, 'users.acl')
  const asker = `user asker on #${sha256Hex(PASSWORD)} resetchannels -@all +hello +ping +info +acl|dryrun\n`
  writeFileSync(aclfile, renderAclFile(stackAcl(spec, () => [sha256Hex(PASSWORD)])) + asker)
  const auth = { username: 'asker', password: PASSWORD }
  const server = await startRawValkey({ binary, args: ['--aclfile', aclfile], dir, auth })
  return {
    ...server,
    async stop() {
      await server.stop()
      rmSync(dir, { recursive: true })
    },
  }
}

const kindsOf = (command: Command): [letter: string, key: string][] =>
  touchesKeys(command) ? Object.entries(keys) : [[touchesChannels(command) ? 'n' : '+', 'none']]

/** One cell: the letters of the keys that it may be used on, `+` where it takes none, `n` where it takes a channel. */
async function cell(server: RawValkey, user: string, command: Command): Promise<string> {
  const kinds = kindsOf(command)
  const replies = await server.callAll(
    kinds.map(([, key]) => ['ACL', 'DRYRUN', user, ...sampleWords(command, key, 'news')]),
  )
  return kinds
    .map(([letter], i) => {
      assert.ok(!(replies[i] instanceof Error), `${command.name} could not be tried: ${String(replies[i])}`)
      return replies[i] === 'OK' ? letter : '-'
    })
    .join('')
}

async function tableOf(server: RawValkey, spec: StackSpec): Promise<string> {
  const users = Object.keys(spec.users)
  const rows = await Promise.all(
    runnableCommands(server.version)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(async (command) => [command.name, ...(await Promise.all(users.map((user) => cell(server, user, command))))]),
  )
  const allowed = rows.filter(([, ...cells]) => cells.some((text) => /[^-]/.test(text)))
  const denied = rows.filter((row) => !allowed.includes(row)).map(([name]) => name)
  const legend = [
    `Keys: ${Object.entries(keys)
      .map(([letter, key]) => `${letter} ${key}`)
      .join(', ')}; + takes no key; n a channel.`,
  ]
  const line = (cells: string[]) =>
    cells
      .map((text, i) => text.padEnd(i === 0 ? 28 : 12))
      .join('')
      .trimEnd()
  const lines = [
    ...legend,
    '',
    line(['command', ...users]),
    ...allowed.map(line),
    '',
    'Denied to everybody:',
    ...denied,
  ]
  return `${lines.join('\n')}\n`
}

const goldenOf = (version: string, preset: StackPreset) =>
  fileURLToPath(new URL(`../golden/stack-acl/${version}-${preset}.txt`, import.meta.url))

for (const { version, path } of valkeyBinaries())
  describe(`users of a stack on valkey ${version}`, () => {
    for (const preset of stackPresetNames)
      test(`what the ${preset} preset allows, command by key`, async () => {
        // An engine of 9 gets the rules that only it knows, as an image of 9 would.
        const spec = { ...defaultSpec({ preset }), engine: version.includes('.') ? version : `${version}.0` }
        const server = await startTwin(path, spec)
        try {
          const table = await tableOf(server, spec)
          if (process.env['VALKEEP_UPDATE_GOLDEN'] === '1') writeFileSync(goldenOf(version, preset), table)
          assert.equal(table, readFileSync(goldenOf(version, preset), 'utf8'))
        } finally {
          await server.stop()
        }
      })
  })

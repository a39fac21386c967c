import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CliError } from '../cli/exit-code.ts'
import { defaultSpec } from '../domain/stack/default-spec.ts'
import { stackPresetNames } from '../domain/stack/presets.ts'
import { parseSpec, renderSpec } from './spec-file.ts'

test('what is written reads back as it was', () => {
  for (const preset of stackPresetNames) {
    const spec = defaultSpec({ preset, perUserFiles: true, user: '1:2' })
    assert.deepEqual(parseSpec(renderSpec(spec), 'stack.yaml'), spec)
  }
})

test('every field that is wrong is named at once, and no value repeated', () => {
  const text = renderSpec(defaultSpec()).replace('prefix: molis', 'prefix: "a b"').replace('+@read', '+@reed')
  assert.throws(
    () => parseSpec(text, 'stack.yaml'),
    (error) => {
      assert.ok(error instanceof CliError)
      assert.deepEqual(error.reasons, [
        'prefix: must be letters, digits, _ and -',
        'users.mcp-agent.commands[0]: there is no category @reed; did you mean @read?',
      ])
      return true
    },
  )
})

for (const text of ['a: [', '', '- x', 'a: &a [*a]', `a: &a x\nb: [${'*a,'.repeat(200)}]`])
  test(`${JSON.stringify(text.slice(0, 20))} is refused as no stack`, () => {
    assert.throws(() => parseSpec(text, 'stack.yaml'), CliError)
  })

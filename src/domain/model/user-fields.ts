import { z } from 'zod'
import { parseChannelPattern, parseKeyPattern } from '../acl/keys.ts'
import { presetNames } from '../acl/presets.ts'
import { parsePrivileges } from '../acl/rules.ts'
import { checkPassword } from '../password-policy.ts'

type Verdict<T> = { ok: true; value: T } | { ok: false; reason: string }

/** A string schema whose value is what `parse` makes of it, and whose error is the reason `parse` gives. */
const parsed = <T>(parse: (text: string) => Verdict<T>, description: string, example: string) =>
  z
    .string()
    .check((ctx) => {
      const verdict = parse(ctx.value)
      if (!verdict.ok) ctx.issues.push({ code: 'custom', message: verdict.reason, input: ctx.value })
    })
    .meta({ description, examples: [example] })

/** Schemas of a user's fields: they validate only; `normaliseUser` gives the canonical form. */
export const userFieldSchemas = {
  password: parsed(
    (text) => {
      const verdict = checkPassword(text)
      return verdict.ok ? { ok: true, value: text } : { ok: false, reason: verdict.reason }
    },
    'At least 12 characters and not a well-known one; left out: generated and shown once',
    'secretpass123',
  ).meta({ writeOnly: true }),
  keyPattern: parsed(parseKeyPattern, 'One glob over keys, with its ~ sigil; default `~*`', '~myapp:*'),
  channelPattern: parsed(parseChannelPattern, 'One glob over channels, with its & sigil; default none', '&news:*'),
  preset: z.enum(presetNames).meta({ description: 'A named set of privileges' }),
  privileges: z
    .array(z.string().max(128))
    .min(1)
    .max(100)
    .check((ctx) => {
      const verdict = parsePrivileges(ctx.value)
      if (verdict.ok) return
      for (const e of verdict.errors)
        ctx.issues.push({ code: 'custom', message: e.reason, path: [e.index], input: ctx.value[e.index] })
    })
    .meta({
      description: 'ACL rules (`+@read`, `+get`, `-flushall`) or one preset (`read-write`), applied in order',
      examples: [['+@read', '+@connection']],
    }),
}

import { z } from 'zod'
import { parseChannelPattern, parseKeyPattern } from '../acl/keys.ts'
import { presetNames } from '../acl/presets.ts'
import { parsePrivileges } from '../acl/rules.ts'
import { checkPassword } from '../password-policy.ts'

type Verdict = { ok: true } | { ok: false; code: string; reason: string }

/** A string schema whose errors are those of `check`, its code among the issue's params. */
const checked = (check: (text: string) => Verdict, description: string, example: string) =>
  z
    .string()
    .check((ctx) => {
      const verdict = check(ctx.value)
      if (verdict.ok) return
      ctx.issues.push({ code: 'custom', message: verdict.reason, params: { code: verdict.code }, input: ctx.value })
    })
    .meta({ description, examples: [example] })

/** Schemas of a user's fields: they validate only; the use cases store the canonical form. */
export const userFieldSchemas = {
  password: checked(
    checkPassword,
    'At least 12 characters and not a well-known one; left out: generated and shown once',
    'secretpass123',
  ).meta({ writeOnly: true }),
  keyPattern: checked(parseKeyPattern, 'One glob over keys, with its ~ sigil; default `~*`', '~myapp:*'),
  channelPattern: checked(parseChannelPattern, 'One glob over channels, with its & sigil; default none', '&news:*'),
  preset: z.enum(presetNames).meta({ description: 'A named set of privileges' }),
  privileges: z
    .array(z.string().max(128))
    .min(1)
    .max(100)
    .check((ctx) => {
      const verdict = parsePrivileges(ctx.value)
      if (verdict.ok) return
      for (const e of verdict.errors)
        ctx.issues.push({
          code: 'custom',
          message: e.reason,
          params: { code: e.code },
          path: [e.index],
          input: ctx.value[e.index],
        })
    })
    .meta({
      description: 'ACL rules (`+@read`, `+get`, `-flushall`) or one preset (`read-write`), applied in order',
      examples: [['+@read', '+@connection']],
    }),
}

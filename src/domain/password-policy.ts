/** Which passwords are accepted, and what generated ones are made of. Pure: the generation itself lives elsewhere. */

/** Characters (code points), and bytes of UTF-8. */
export const MIN_PASSWORD_LENGTH = 12
export const MAX_PASSWORD_BYTES = 512

/** What generated passwords are drawn from: no look-alikes (0O, 1lI), nothing a shell, URI or config file must quote. */
export const GENERATED_PASSWORD_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789'
/** Drawn uniformly from those 57 characters: 186 bits. */
export const GENERATED_PASSWORD_LENGTH = 32

export type PasswordErrorCode = 'too_short' | 'too_long' | 'control_character' | 'not_text' | 'known_weak'
export type PasswordVerdict = { ok: true } | { ok: false; code: PasswordErrorCode; reason: string }

/** Well-known ones of 12 characters or more that no pattern below catches, without digits and marks at their ends. */
const KNOWN_PHRASES = new Set([
  'correcthorsebatterystaple',
  'correct horse battery staple',
  'correct-horse-battery-staple',
  '1q2w3e4r5t6y',
  '1q2w3e4r5t6y7u8i',
  'q1w2e3r4t5y6',
  'q1w2e3r4t5y6u7i8',
  'zaq12wsxcde3',
  'zaq1xsw2cde3vfr4',
  'opensesame',
  'iloveyouforever',
  'ncc1701d',
  'thequickbrownfox',
])

/** Words that a password must not consist of, alone or strung together, with whatever digits and marks around them. */
const WEAK_WORDS = [
  'password',
  'passwort',
  'passwd',
  'passphrase',
  'administrator',
  'admin',
  'root',
  'user',
  'guest',
  'login',
  'default',
  'welcome',
  'changeme',
  'letmein',
  'iloveyou',
  'trustno',
  'qwertyuiop',
  'qwertz',
  'qwerty',
  'azerty',
  'asdfgh',
  'monkey',
  'dragon',
  'sunshine',
  'princess',
  'football',
  'baseball',
  'superman',
  'batman',
  'master',
  'whatever',
  'valkeep',
  'valkey',
  'redis',
  'secret',
  'test',
  'temp',
  'please',
  'super',
  'your',
  'the',
  'my',
  'is',
  'not',
]

/** Runs that a password must not be a stretch of, in either direction, round and round. */
const RUNS = [
  '1234567890',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  'azertyuiopqsdfghjklmwxcvbn',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/',
  'qazwsxedcrfvtgbyhnujmikolp',
  '!@#$%^&*()_+',
  '1234567890qwertyuiop',
  'abc123',
]

const LEET: Readonly<Record<string, string>> = {
  '@': 'a',
  '4': 'a',
  '3': 'e',
  '1': 'i',
  '!': 'i',
  '0': 'o',
  $: 's',
  '5': 's',
  '7': 't',
}

/** One piece of at most four characters, over and over, the last one cut short or not. */
function isRepetition(text: string): boolean {
  return [1, 2, 3, 4].some((size) => text === text.slice(0, size).repeat(text.length).slice(0, text.length))
}

function isStretchOfRun(text: string): boolean {
  const backwards = Array.from(text).reverse().join('')
  return RUNS.some((run) => {
    const round = run.repeat(Math.ceil(text.length / run.length) + 1)
    return round.includes(text) || round.includes(backwards)
  })
}

/** Whether a text is weak words strung together and nothing else; each place is tried once. */
function isWeakWords(text: string): boolean {
  const reached = new Set([0])
  for (const at of reached) {
    for (const word of WEAK_WORDS) {
      if (text.startsWith(word, at)) reached.add(at + word.length)
    }
  }
  return text.length > 0 && reached.has(text.length)
}

const trimMarks = (text: string): string => text.replace(/^[^a-z]+|[^a-z]+$/g, '')
const unleet = (text: string): string => Array.from(text, (char) => LEET[char] ?? char).join('')

function isKnownWeak(password: string): boolean {
  const lower = password.toLowerCase()
  if (isRepetition(lower) || isStretchOfRun(lower) || KNOWN_PHRASES.has(lower)) return true
  const cores = [trimMarks(lower), trimMarks(unleet(trimMarks(lower))), trimMarks(unleet(lower))]
  return cores.some((core) => {
    const letters = core.replace(/[^a-z]/g, '')
    return (
      KNOWN_PHRASES.has(core) ||
      isWeakWords(letters) ||
      (letters.length > 3 && isStretchOfRun(letters) && !/[^a-z]/.test(core))
    )
  })
}

/**
 * Judges a password that a person chose. Neither the verdict nor its reason holds any part of it.
 * @returns the first reason to refuse it: length, control characters, ill-formed text, known to be weak
 */
export function checkPassword(password: string): PasswordVerdict {
  const refuse = (code: PasswordErrorCode, reason: string): PasswordVerdict => ({ ok: false, code, reason })
  if (password.length > MAX_PASSWORD_BYTES) {
    return refuse('too_long', `a password has at most ${MAX_PASSWORD_BYTES} bytes`)
  }
  if (!password.isWellFormed()) return refuse('not_text', 'a password must be well-formed Unicode text')
  if (Array.from(password).length < MIN_PASSWORD_LENGTH) {
    return refuse('too_short', `a password has at least ${MIN_PASSWORD_LENGTH} characters`)
  }
  if (new TextEncoder().encode(password).length > MAX_PASSWORD_BYTES) {
    return refuse('too_long', `a password has at most ${MAX_PASSWORD_BYTES} bytes`)
  }
  if (/\p{Cc}|\p{Zl}|\p{Zp}/u.test(password)) {
    return refuse('control_character', 'a password must not contain control characters or line breaks')
  }
  if (isKnownWeak(password)) {
    return refuse(
      'known_weak',
      'this password is among those that are tried first; leave it out to get a generated one',
    )
  }
  return { ok: true }
}

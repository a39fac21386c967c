import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shellQuote } from './shell-quote.ts'

// That a shell reads these back as they were is shown in test/integration/shell-quote.test.ts.
test('a word is one single-quoted text, its own quotes outside', () => {
  assert.equal(shellQuote(''), "''")
  assert.equal(shellQuote('$(id) "x"\n'), `'$(id) "x"\n'`)
  assert.equal(shellQuote("it's"), String.raw`'it'\''s'`)
})

/** What every store has to do, whatever database is below it: run with a factory for each. */
import { type TestContext, test } from 'node:test'
import type { Store, StoreOptions } from '../../src/store/store.ts'
import { commitTests } from './store-suite-commit.ts'
import { instancesTests } from './store-suite-instances.ts'
import { nounsTests, placesTests, usersTests } from './store-suite-nouns.ts'
import { operationsTests } from './store-suite-operations.ts'
import { portsTests } from './store-suite-ports.ts'

/** Opens a new, empty store; it is closed and removed after the test. */
export type OpenStore = (t: TestContext, options?: StoreOptions) => Promise<Store>

/** Tests by title. */
export type StoreTests = Record<string, (t: TestContext, open: OpenStore) => Promise<void>>

/** @param database its name, for the tests' titles */
export function storeSuite(database: string, open: OpenStore): void {
  const all = [commitTests, placesTests, usersTests, nounsTests, instancesTests, operationsTests, portsTests]
  for (const [title, run] of all.flatMap((tests) => Object.entries(tests))) {
    test(`${database}: ${title}`, (t) => run(t, open))
  }
}

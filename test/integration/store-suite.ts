/** What every store has to do, whatever database is below it: run with a factory for each. */
import type { TestContext } from 'node:test'
import type { Store, StoreOptions } from '../../src/store/store.ts'
import { commitSuite } from './store-suite-commit.ts'
import { instancesSuite } from './store-suite-instances.ts'
import { nounsSuite } from './store-suite-nouns.ts'
import { operationsSuite } from './store-suite-operations.ts'
import { portsSuite } from './store-suite-ports.ts'

/** Opens a new, empty store; it is closed and removed after the test. */
export type OpenStore = (t: TestContext, options?: StoreOptions) => Promise<Store>

/** @param database its name, for the tests' titles */
export function storeSuite(database: string, open: OpenStore): void {
  commitSuite(database, open)
  nounsSuite(database, open)
  instancesSuite(database, open)
  operationsSuite(database, open)
  portsSuite(database, open)
}

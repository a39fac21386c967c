import { openTemporary } from './store-sqlite-temp.ts'
import { storeSuite } from './store-suite.ts'

storeSuite('sqlite', async (t, options) => (await openTemporary(t, options)).store)

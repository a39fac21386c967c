import { renderConfSections } from '../domain/conf/render.ts'
import { stackConfSections } from '../domain/stack/conf.ts'
import type { StackSpec } from '../domain/stack/spec.ts'

/** The text of a stack's valkey.conf. */
export const renderStackConf = (spec: StackSpec): string =>
  renderConfSections(
    ['Written by `valkeep stack conf` from stack.yaml: change that, and write this anew.'],
    stackConfSections(spec),
  )

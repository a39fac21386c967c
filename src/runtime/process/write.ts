/** Writing a server's files. */
import { dirname } from 'node:path'
import { renderAclFile } from '../../domain/acl/render.ts'
import { renderConf } from '../../domain/conf/render.ts'
import type { FilePart } from '../../domain/plan/step.ts'
import { StepError } from '../../domain/plan/step-error.ts'
import type { ServerLayout, ServerPlan } from '../../domain/server-plan.ts'
import { closeModes, ensureDir, replaceFile } from './files.ts'

/**
 * Killed between certificate and key: the pair does not fit, is observed so and written again before any start.
 * @throws StepError `key-missing` where part `tls` comes without a key
 */
export async function writeServer(
  place: ServerLayout,
  plan: ServerPlan,
  parts: FilePart[],
  key: string | null,
): Promise<void> {
  // Rendered first: what cannot be rendered leaves nothing behind.
  const texts = parts.flatMap((part) => textsOf(place, plan, part, key))
  await ensureDir(place.dir)
  await Promise.all([ensureDir(dirname(place.acl)), ensureDir(place.tlsDir), ensureDir(place.dataDir)])
  await Promise.all(texts.map(([path, text]) => replaceFile(path, text)))
  if (parts.includes('modes')) await closeModes(place)
}

function textsOf(
  place: ServerLayout,
  plan: ServerPlan,
  part: FilePart,
  key: string | null,
): [path: string, text: string][] {
  switch (part) {
    case 'conf':
      return [[place.conf, renderConf(plan.conf)]]
    case 'acl':
      return [[place.acl, renderAclFile(plan.acl)]]
    case 'tls':
      if (key === null) throw new StepError('key-missing', 'the certificate’s key was not given')
      return [
        [place.cert, plan.tls.certPem],
        [place.key, key],
        [place.ca, plan.tls.caPem],
      ]
    case 'modes':
      return []
  }
}

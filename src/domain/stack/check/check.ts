/** Everything that `valkeep stack check` judges, from facts that were gathered of the files. */
import type { Finding } from '../../finding.ts'
import type { StackSpec } from '../spec.ts'
import { type AclFacts, judgeAcl } from './acl.ts'
import { judgeSpec } from './advice.ts'
import { type CertificatesFacts, judgeCertificates } from './certificates.ts'
import { type ComposeFacts, judgeCompose } from './compose.ts'
import { judgeConf } from './conf.ts'
import type { Names } from './facts.ts'
import { type FilesFacts, judgeFiles } from './files.ts'
import { type IgnoreFacts, judgeIgnored } from './ignore.ts'
import { judgeLeaks, type OpenText } from './leaks.ts'
import { judgeScripts, type ScriptsFacts } from './scripts.ts'

export type StackFacts = {
  names: Names
  files: FilesFacts
  certificates: CertificatesFacts
  acl: AclFacts
  /** Text of valkey.conf; undefined where there is none to read. */
  conf: string | undefined
  compose: ComposeFacts
  scripts: ScriptsFacts
  ignore: IgnoreFacts
  /** Digests of the words of the files that everybody may read. */
  open: readonly OpenText[]
}

/** In the order in which a person mends: what is declared, what is missing, then what stands in the files. */
export function judgeStack(spec: StackSpec, facts: StackFacts): Finding[] {
  const { names } = facts
  return [
    ...judgeSpec(spec, names),
    ...judgeFiles(spec, facts.files, names),
    ...judgeCertificates(spec, facts.certificates, names),
    ...judgeAcl(spec, facts.acl, names),
    ...judgeLeaks(spec, facts.acl, facts.open, names),
    ...judgeConf(spec, facts.conf, names),
    ...judgeCompose(spec, facts.compose, names),
    ...judgeScripts(spec, facts.scripts, names),
    ...judgeIgnored(spec, facts.ignore, names),
  ]
}

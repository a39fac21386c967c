/** A server's files by meaning, so that drift is never judged by bytes. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { lstat, readFile } from 'node:fs/promises'
import { parseAclFile } from '../../domain/acl/parse.ts'
import { parseConf } from '../../domain/conf/parse.ts'
import type { FilesObservation } from '../../domain/plan/spec.ts'
import type { ServerLayout } from '../../domain/server-plan.ts'
import { ifMissing, tooOpen } from './files.ts'

/** @returns null where the server's directory does not exist */
export async function observeFiles(place: ServerLayout): Promise<FilesObservation | null> {
  const dir = await lstat(place.dir).catch(ifMissing)
  if (!dir) return null
  const read = (path: string) => readFile(path, 'utf8').catch(ifMissing)
  const [conf, acl, cert, key, ca, open] = await Promise.all([
    read(place.conf),
    read(place.acl),
    read(place.cert),
    read(place.key),
    read(place.ca),
    tooOpen(place),
  ])
  const certificate = parsed(cert, (pem) => new X509Certificate(pem))
  return {
    conf: parsed(conf, parseConf),
    acl: parsed(acl, parseAclFile),
    certFingerprint: certificate?.fingerprint256.replaceAll(':', '').toLowerCase() ?? null,
    keyFits: parsed(key, (pem) => certificate?.checkPrivateKey(createPrivateKey(pem)) ?? false) ?? false,
    caPem: ca ?? null,
    tooOpen: open,
  }
}

/** null where a text is missing or its reader refuses it: both are mended by writing it again. */
function parsed<T>(text: string | undefined, read: (text: string) => T): T | null {
  if (text === undefined) return null
  try {
    return read(text)
  } catch {
    return null
  }
}

/** Finding the engine that new instances get. */
import { access, constants, stat } from 'node:fs/promises'
import { basename, delimiter, isAbsolute, join, resolve } from 'node:path'
import { engineAtLeast } from '../domain/conf/engine-version.ts'
import { StepError } from '../domain/plan/step-error.ts'
import type { Engine } from '../domain/server-plan.ts'
import { askVersion } from '../runtime/process/binary-version.ts'

const oldest = '8.0'
const remedy =
  'install Valkey 8.0 or newer (Debian 12: apt-get install -t bookworm-backports valkey; elsewhere: dnf, apk or brew install valkey), or set VALKEY_SERVER to a valkey-server'

/**
 * The engine that new instances get.
 * @param valkeyServer setting VALKEY_SERVER: where given it is used or refused, nothing else is tried
 * @param path the PATH to search
 * @throws StepError `engine-missing`, `engine-unusable` or `engine-too-old`, which says how to install
 */
export async function findEngine(from: { valkeyServer: string | undefined; path: string }): Promise<Engine> {
  const binary = from.valkeyServer ? resolve(from.valkeyServer) : await searchPath(from.path)
  if (!binary) throw new StepError('engine-missing', 'there is no valkey-server on PATH', { remedy })
  // Its processes are known by this name: a renamed binary's would not be found again.
  if (!basename(binary).startsWith('valkey-server') || !(await isExecutable(binary)))
    throw new StepError('engine-unusable', `${binary} is not an executable file named valkey-server`, { remedy })
  const version = await askVersion(binary)
  if (version === null)
    throw new StepError('engine-unusable', `${binary} does not say it is a Valkey server`, { remedy })
  if (!engineAtLeast(version, oldest))
    throw new StepError('engine-too-old', `${binary} is Valkey ${version}; ${oldest} is the oldest that works`, {
      remedy,
    })
  return { version, binary }
}

async function searchPath(path: string): Promise<string | undefined> {
  for (const dir of path.split(delimiter).filter(isAbsolute)) {
    const candidate = join(dir, 'valkey-server')
    if (await isExecutable(candidate)) return candidate
  }
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

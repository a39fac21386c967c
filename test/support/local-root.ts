/** The root directory of containers without Kubernetes: busybox and Valkey of this machine, and nothing else to run, as in the image. */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, lstatSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A file or directory outside that a container sees at a path. */
export type Mount = { from: string; to: string; readOnly?: boolean }

/** Their paths on this machine. */
export type Programs = { busybox: string; server: string; cli: string }

/** Of programs in a container. */
export const CONTAINER_PATH = '/valkey:/bin'

/** Makes the directory. @returns what is to be mounted in it, besides what each pod has of its own */
export function makeRoot(root: string, programs: Programs): Mount[] {
  for (const name of ['bin', 'etc', 'dev', 'proc', 'old', 'valkey']) mkdirSync(join(root, name), { recursive: true })
  writeEtc(join(root, 'etc'))
  const applets = execFileSync(programs.busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n')
  for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet))
  const files = [
    { from: programs.busybox, to: '/bin/busybox' },
    { from: programs.server, to: '/valkey/valkey-server' },
    { from: programs.cli, to: '/valkey/valkey-cli' },
  ]
  for (const { to } of files) writeFileSync(join(root, to), '')
  return [{ from: '/dev', to: '/dev' }, ...files, ...libraries(root)]
}

/** Wherever this machine has them. */
function libraries(root: string): Mount[] {
  const there = ['usr', 'lib', 'lib32', 'lib64', 'libx32'].filter((name) => existsSync(`/${name}`))
  return there.flatMap((name) => {
    const [from, here] = [`/${name}`, join(root, name)]
    if (lstatSync(from).isSymbolicLink()) {
      symlinkSync(readlinkSync(from), here)
      return []
    }
    mkdirSync(here)
    return [{ from, to: from }]
  })
}

function writeEtc(etc: string): void {
  const files = {
    passwd: 'root:x:0:0:root:/:/bin/sh\n',
    'nsswitch.conf': 'hosts: files dns\n',
    hosts: '127.0.0.1 localhost\n',
    // The pod's is mounted here.
    'resolv.conf': '',
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(etc, name), text)
  // Where libraries lie that are not at the usual places.
  if (existsSync('/etc/ld.so.cache')) cpSync('/etc/ld.so.cache', join(etc, 'ld.so.cache'))
}

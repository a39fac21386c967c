/** Docker's command line, for what a stack asks of it. No shell: words go as they are, and no secret is among them. */
import { spawn } from 'node:child_process'

export type DockerRun = { code: number; stdout: string; stderr: string }

/** @returns code 127 where there is no docker */
export type Docker = (words: readonly string[]) => Promise<DockerRun>

/**
 * @param env environment for docker (DOCKER_HOST, PATH …)
 * @param signal ends what runs
 */
export const makeDocker =
  (env: Readonly<Record<string, string | undefined>>, signal: AbortSignal): Docker =>
  (words) =>
    new Promise((resolve) => {
      const child = spawn('docker', words, { env, signal, stdio: ['ignore', 'pipe', 'pipe'] })
      const text = { stdout: '', stderr: '' }
      child.stdout.on('data', (chunk) => void (text.stdout += String(chunk)))
      child.stderr.on('data', (chunk) => void (text.stderr += String(chunk)))
      child.once('error', (error) => resolve({ ...text, code: 127, stderr: `${text.stderr}${error.message}` }))
      child.once('close', (code) => resolve({ ...text, code: code ?? 1 }))
    })

/** Whether a container of this name runs, whichever compose project made it. @throws DockerFailed */
export async function isRunning(docker: Docker, container: string): Promise<boolean> {
  const { stdout } = await required(docker, ['ps', '--format', '{{.Names}}', '--filter', `name=^/?${container}$`])
  return stdout.split('\n').includes(container)
}

/**
 * Restarts a container and waits until its health check passes.
 * @param healthCommand ends with 0 inside the container once the server answers
 * @param waitMs how long it may take to answer
 * @returns milliseconds from before the stop until it answered again: no client waited longer
 * @throws DockerFailed where docker fails, or it does not answer in time
 */
export async function restartUntilHealthy(
  docker: Docker,
  container: string,
  { healthCommand, waitMs }: { healthCommand: string; waitMs: number },
): Promise<number> {
  const startedAt = performance.now()
  await required(docker, ['restart', container])
  const endsAt = performance.now() + waitMs
  for (;;) {
    const probe = await docker(['exec', container, healthCommand])
    if (probe.code === 0) return performance.now() - startedAt
    if (performance.now() > endsAt) throw new DockerFailed(`it does not answer: ${said(probe)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function required(docker: Docker, words: readonly string[]): Promise<DockerRun> {
  const run = await docker(words)
  if (run.code !== 0) throw new DockerFailed(`docker ${words.slice(0, 2).join(' ')}: ${said(run)}`)
  return run
}

const said = ({ stdout, stderr, code }: DockerRun): string =>
  (stderr.trim() || stdout.trim()).split('\n').at(-1) || `it ended with ${code}`

/** What docker said, in one line. */
export class DockerFailed extends Error {
  override name = 'DockerFailed'
}

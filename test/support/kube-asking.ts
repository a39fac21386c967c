/** The near end of `kube-insider.ts`: cheap looks into a test's Kubernetes. */
import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Answer, Place, Question, Server } from './kube-insider.ts'
import type { Namespaces } from './namespaces.ts'

export type Asking = {
  /** What the API server has at a path, as text. Rejects with what it says where that is not 200. */
  get(path: string): Promise<string>
  /** One command to a server, answered as valkey-cli prints it; an error of the server's is an answer too. Rejects where none comes within 3 s. */
  ask(server: Server, ...words: string[]): Promise<string>
}

/** Starts the program with the first question. It ends with the test's process, and with the namespaces nothing answers any more. */
export function makeAsking(space: Pick<Namespaces, 'inNetwork'>, place: Place): Asking {
  const waiting = new Map<number, { resolve: (text: string) => void; reject: (error: Error) => void }>()
  let asked = 0
  let started: ((question: object) => Promise<string>) | undefined
  const start = () => {
    const program = fileURLToPath(new URL('./kube-insider.ts', import.meta.url))
    const flags = ['--disable-warning=ExperimentalWarning', program, JSON.stringify(place)]
    const [command, args] = space.inNetwork(process.execPath, flags)
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    // It holds up nobody: only while an answer is awaited is it waited for.
    const [input, output] = [child.stdin as Socket, child.stdout as Socket]
    for (const held of [child, input, output]) held.unref()
    input.on('error', () => {})
    createInterface({ input: output }).on('line', (line) => {
      const { id, text, error } = JSON.parse(line) as Answer
      if (text === undefined) waiting.get(id)?.reject(new Error(error))
      else waiting.get(id)?.resolve(text)
      waiting.delete(id)
      if (waiting.size === 0) output.unref()
    })
    child.once('exit', () => {
      for (const { reject } of waiting.values()) reject(new Error('what asks in the network has ended'))
      waiting.clear()
      started = undefined
    })
    return (question: object): Promise<string> =>
      new Promise((resolve, reject) => {
        const id = ++asked
        waiting.set(id, { resolve, reject })
        output.ref()
        input.write(`${JSON.stringify({ id, ...question } as Question)}\n`)
      })
  }
  const put = (question: object) => (started ??= start())(question)
  return { get: (path) => put({ get: path }), ask: (server, ...words) => put({ server, words }) }
}

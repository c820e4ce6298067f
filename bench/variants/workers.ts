/** Reads in several worker threads, each with what it needs of its own. The concurrency is that of the threads. */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

import type { Settings } from '../protocol.js'
import { type Program, share } from './program.js'
import { SEED } from './random.js'
import { read } from './read.js'

/** The clock of all threads when a thread's part began and ended; or why it did not. */
type Part = { begun: bigint; ended: bigint } | { error: string }

/** What the settings leave open. */
const DEFAULT_LANES = 32

export function workers(settings: Settings): Program {
  const threads: Worker[] = []
  return {
    async prepare(concurrency) {
      while (threads.length < concurrency) {
        const seed = SEED + threads.length
        const thread = new Worker(fileURLToPath(import.meta.url), { workerData: { settings, seed } })
        await once(thread, 'message')
        threads.push(thread)
      }
    },
    async run(concurrency, operations) {
      const parts = await Promise.all(
        threads.slice(0, concurrency).map(async (thread, index) => {
          const answered = once(thread, 'message')
          // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's has no origin
          thread.postMessage(share(operations, concurrency, index))
          const [part] = (await answered) as [Part]
          if ('error' in part) throw new Error(part.error)
          return part
        }),
      )
      const begun = parts.map((part) => part.begun).reduce((one, other) => (one < other ? one : other))
      const ended = parts.map((part) => part.ended).reduce((one, other) => (one > other ? one : other))
      return Number(ended - begun)
    },
  }
}

async function workerMain(port: NonNullable<typeof parentPort>): Promise<void> {
  const { settings, seed } = workerData as { settings: Settings; seed: number }
  const lanes = settings.api === 'sync' ? 1 : (settings.lanes ?? DEFAULT_LANES)
  const program = await read(settings, seed)
  await program.prepare?.(lanes)
  const run = async (operations: number): Promise<Part> => {
    const begun = process.hrtime.bigint()
    try {
      await program.run(lanes, operations, undefined)
      return { begun, ended: process.hrtime.bigint() }
    } catch (error) {
      return { error: String(error) }
    }
  }
  port.on('message', (operations: number) => {
    void run(operations).then((part) => port.postMessage(part))
  })
  port.postMessage('ready')
}

if (!isMainThread && parentPort !== null) await workerMain(parentPort)

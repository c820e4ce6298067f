/** The threads of a run as the coordinator sees them: started together, watched, and never waited for in vain. */
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import { type FromThread, type Lost, type Task, type ThreadResult, Word } from './messages.js'
import { isForWant } from './want.js'

/** The time in which a healthy thread gets through a round, however loaded the machine is. */
const PATIENCE = 30_000
const LOOK_EVERY = 250
/** How long a thread may take to be stopped by force. */
const STOP_WITHIN = 5000

/** How the threads are run; tests give another program, and have less patience. */
export interface ThreadOptions {
  program?: URL
  /** Milliseconds without a round after which a thread counts as hanging. */
  patience?: number
}

/** Why a thread came to no result. */
export interface ThreadFailure {
  text: string
  /** Whether it only could not begin, for want of memory or descriptors. */
  isForWant: boolean
}

/** What became of the threads. */
export interface ThreadsOutcome {
  results: ThreadResult[]
  /** What went wrong, by thread. */
  failures: ThreadFailure[]
  /** Whether a thread could not even be stopped by force: the process will not end by itself. */
  isHung: boolean
}

class Thread {
  readonly ready: Promise<void>
  readonly result: Promise<ThreadResult>
  isOver = false
  /** Whether it waits for the others, to begin together with them. */
  isWaiting = false
  #becomeReady: () => void = () => {}
  #fail: (error: Error) => void = () => {}
  readonly #worker: Worker

  constructor(program: URL, task: Task, onLost: (lost: Lost) => void) {
    const worker = new Worker(program, { workerData: task })
    this.#worker = worker
    this.ready = new Promise((resolve) => {
      this.#becomeReady = resolve
    })
    this.result = new Promise((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if (message.type === 'ready') this.#wait()
        else if (message.type === 'lost') onLost(message.lost)
        else resolve(message.result)
      })
      this.#fail = reject
      worker.on('error', reject)
      worker.on('exit', (code) => reject(new Error(`it exited with code ${code} before its end`)))
    })
    const end = () => {
      this.isOver = true
      // Those that wait for all to be ready need not wait for this one.
      this.#becomeReady()
    }
    this.result.then(end, end)
  }

  #wait(): void {
    this.isWaiting = true
    this.#becomeReady()
  }

  fail(error: Error): void {
    this.#fail(error)
  }

  /** Ends the thread; false if it does not let itself be ended. */
  async stop(): Promise<boolean> {
    const stopped = this.#worker.terminate().then(() => true)
    const controller = new AbortController()
    const late = delay(STOP_WITHIN, false, { signal: controller.signal })
    const isStopped = await Promise.race([stopped, late])
    late.catch(() => {})
    controller.abort()
    return isStopped
  }
}

/** Fails threads that make no round for too long. */
class Watchdog {
  readonly #seen: { rounds: number; at: number }[]
  readonly #timer: NodeJS.Timeout

  constructor(threads: Thread[], words: Int32Array, patience: number) {
    this.#seen = threads.map(() => ({ rounds: 0, at: performance.now() }))
    const look = () => {
      for (const [index, thread] of threads.entries()) {
        const rounds = Atomics.load(words, Word.rounds(index))
        if (thread.isWaiting) this.#rest(index, rounds)
        if (thread.isOver || this.#hasMoved(index, rounds, patience)) continue
        thread.fail(new Error(`it hangs: no progress for ${patience / 1000} s, after ${rounds} rounds`))
      }
    }
    this.#timer = setInterval(look, Math.min(LOOK_EVERY, patience))
  }

  #hasMoved(index: number, rounds: number, patience: number): boolean {
    const seen = this.#seen[index]
    if (seen?.rounds === rounds) return performance.now() - seen.at < patience
    this.#rest(index, rounds)
    return true
  }

  #rest(index: number, rounds: number): void {
    this.#seen[index] = { rounds, at: performance.now() }
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

/**
 * Runs one thread for each task until all have ended or failed; one that fails stops the others. `onStart` is called
 * when all begin with their rounds.
 */
export async function runThreads(
  tasks: Task[],
  words: Int32Array,
  onStart: () => void,
  onLost: (lost: Lost) => void,
  options: ThreadOptions = {},
): Promise<ThreadsOutcome> {
  const { program = new URL('./worker.js', import.meta.url), patience = PATIENCE } = options
  const threads = tasks.map((task) => new Thread(program, task, onLost))
  const watchdog = new Watchdog(threads, words, patience)
  for (const { result } of threads) result.catch(() => Atomics.store(words, Word.STOP, 1))
  await Promise.all(threads.map(({ ready }) => ready))
  onStart()
  for (const thread of threads) thread.isWaiting = false
  Atomics.store(words, Word.START, 1)
  Atomics.notify(words, Word.START)
  const ends = await Promise.allSettled(threads.map(({ result }) => result))
  watchdog.stop()
  const stops = await Promise.all(threads.map((thread) => thread.stop()))
  return {
    results: ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : [])),
    failures: ends.flatMap((end, index) =>
      end.status === 'fulfilled' ? [] : [failureOf(index, end.reason)],
    ),
    isHung: stops.includes(false),
  }
}

function failureOf(thread: number, reason: unknown): ThreadFailure {
  if (isForWant(reason)) return { text: `thread ${thread}: ${reason.message}`, isForWant: true }
  const why = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)
  return { text: `thread ${thread}: ${why}`, isForWant: false }
}

/**
 * A thread that looks at the event loop's: for how long that is asleep in one system call other than the wait for its next event. A
 * thread that a busy host does not let run is not asleep, so that this tells one from the other, which a timer cannot.
 */
import { readFileSync } from 'node:fs'
import { isMainThread, Worker, workerData } from 'node:worker_threads'

const LOOK_MILLISECONDS = 5
/** epoll_wait and epoll_pwait, by their numbers on x64: there the loop waits for its next event. */
const LOOPS_OWN = new Set(['232', '281'])

/** Where both threads find what the other says. */
const WATCHES = 0
const LONGEST = 1

export class Sleeps {
  readonly #shared = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))

  constructor() {
    new Worker(new URL(import.meta.url), { workerData: this.#shared }).unref()
  }

  begin(): void {
    if (Atomics.add(this.#shared, WATCHES, 1) > 0) return
    Atomics.store(this.#shared, LONGEST, 0)
    Atomics.notify(this.#shared, WATCHES)
  }

  /** The longest so far, in milliseconds. */
  end(): number {
    Atomics.sub(this.#shared, WATCHES, 1)
    return Atomics.load(this.#shared, LONGEST)
  }
}

/** The call that the process's first thread sleeps in, with its arguments; undefined where it runs, or may. */
function sleepsIn(): string | undefined {
  const text = readFileSync(`/proc/${process.pid}/syscall`, 'utf8').trim()
  return text === 'running' || LOOPS_OWN.has(text.split(' ')[0] ?? '') ? undefined : text
}

function look(shared: Int32Array): never {
  let call: string | undefined
  let since = 0
  for (;;) {
    // What was seen before the pause is no part of what comes.
    if (Atomics.wait(shared, WATCHES, 0) === 'ok') call = undefined
    const now = performance.now()
    const seen = sleepsIn()
    if (seen === undefined || seen !== call) since = now
    else if (now - since > Atomics.load(shared, LONGEST))
      Atomics.store(shared, LONGEST, Math.round(now - since))
    call = seen
    // Nothing is ever there: a pause.
    Atomics.wait(shared, LONGEST, Atomics.load(shared, LONGEST), LOOK_MILLISECONDS)
  }
}

if (!isMainThread && workerData instanceof Int32Array) look(workerData)

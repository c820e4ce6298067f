/**
 * A thread that looks at the event loop's: for how long that is asleep in one system call other than the wait for its next event. A
 * thread that a busy host does not let run is not asleep, so that this tells one from the other, which a timer cannot.
 */
import { readFileSync } from 'node:fs'
import { isMainThread, Worker, workerData } from 'node:worker_threads'

const LOOK_MILLISECONDS = 5
/** epoll_wait and epoll_pwait, by their numbers on x64: there the loop waits for its next event. Without a number it is in no call. */
const NOT_MEANT = new Set(['running', '232', '281', '-1'])

/** Where both threads find what the other says: how many watches there are, which one is the last, and the longest of each. */
const WATCHES = 0
const LAST = 1
const NEVER_CHANGED = 2
const LONGEST = 3
/** What was seen of an earlier watch, and is told late, goes to its own place. */
const PLACES = 64

export class Sleeps {
  readonly #shared = new Int32Array(new SharedArrayBuffer((LONGEST + PLACES) * Int32Array.BYTES_PER_ELEMENT))

  constructor() {
    new Worker(new URL(import.meta.url), { workerData: this.#shared }).unref()
  }

  begin(): void {
    if (Atomics.add(this.#shared, WATCHES, 1) > 0) return
    const place = (Atomics.load(this.#shared, LAST) + 1) % PLACES
    Atomics.store(this.#shared, LONGEST + place, 0)
    Atomics.store(this.#shared, LAST, place)
    Atomics.notify(this.#shared, WATCHES)
  }

  /** The longest so far, in milliseconds. */
  end(): number {
    Atomics.sub(this.#shared, WATCHES, 1)
    return Atomics.load(this.#shared, LONGEST + Atomics.load(this.#shared, LAST))
  }
}

/** The call that the process's first thread sleeps in, with its arguments; undefined where it runs, or may. */
function sleepsIn(): string | undefined {
  const text = readFileSync(`/proc/${process.pid}/syscall`, 'utf8').trim()
  return NOT_MEANT.has(text.split(' ')[0] ?? '') ? undefined : text
}

function look(shared: Int32Array): never {
  let last: { place: number; call: string | undefined; since: number } | undefined
  for (;;) {
    Atomics.wait(shared, WATCHES, 0)
    const place = Atomics.load(shared, LAST)
    const now = performance.now()
    const call = sleepsIn()
    if (last === undefined || call === undefined || call !== last.call || place !== last.place) {
      last = { place, call, since: now }
    } else {
      const at = LONGEST + place
      Atomics.store(shared, at, Math.max(Atomics.load(shared, at), Math.round(now - last.since)))
    }
    Atomics.wait(shared, NEVER_CHANGED, 0, LOOK_MILLISECONDS)
  }
}

if (!isMainThread && workerData instanceof Int32Array) look(workerData)

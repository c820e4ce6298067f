/** The event loop's longest gap, seen by a timer, and the longest call that it slept in, seen by another thread. */
import type { Sleeps } from './sleeps.js'

const TICK_MILLISECONDS = 10

/** Measures what runs meanwhile; several times adds the times, and keeps the longest. */
export class Watch {
  readonly #sleeps: Sleeps
  milliseconds = 0
  gap = 0
  asleep = 0

  constructor(sleeps: Sleeps) {
    this.#sleeps = sleeps
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const start = performance.now()
    let last = start
    const look = () => {
      const now = performance.now()
      this.gap = Math.max(this.gap, now - last)
      last = now
    }
    this.#sleeps.begin()
    const timer = setInterval(look, TICK_MILLISECONDS)
    try {
      return await work()
    } finally {
      look()
      clearInterval(timer)
      this.asleep = Math.max(this.asleep, this.#sleeps.end())
      this.milliseconds += performance.now() - start
    }
  }
}

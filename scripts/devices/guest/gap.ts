/** The event loop's longest gap, seen by a timer. */
const TICK_MILLISECONDS = 10

export interface Watched {
  milliseconds: number
  gap: number
}

/** Measures what runs meanwhile; several times adds the times, and keeps the longest gap. */
export class Watch {
  milliseconds = 0
  gap = 0

  async run<T>(work: () => Promise<T>): Promise<T> {
    const start = performance.now()
    let last = start
    const look = () => {
      const now = performance.now()
      this.gap = Math.max(this.gap, now - last)
      last = now
    }
    const timer = setInterval(look, TICK_MILLISECONDS)
    try {
      return await work()
    } finally {
      look()
      clearInterval(timer)
      this.milliseconds += performance.now() - start
    }
  }
}

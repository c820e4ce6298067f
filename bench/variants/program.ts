/** What a variant's process runs: slices of operations, by lanes that each begin the next when the last is done. */
import type { Recorder } from './recorder.js'

export interface Program {
  /** Makes what so many lanes need. Not timed. */
  prepare?: (concurrency: number) => Promise<void> | void
  /** Runs a slice; resolves to its nanoseconds. */
  run: (concurrency: number, operations: number, recorder: Recorder | undefined) => Promise<number>
}

/** The time that `work` takes, in nanoseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - begun)
}

/** A lane's part of the operations, where it has to know it from the start. */
export function share(operations: number, concurrency: number, lane: number): number {
  return Math.floor(operations / concurrency) + (lane < operations % concurrency ? 1 : 0)
}

interface Counter {
  left: number
}

/** Lanes that await promises. `check` throws at a wrong result. */
export function promiseLanes<T>(
  operation: (lane: number) => Promise<T>,
  check: (lane: number, result: T) => void,
): Program['run'] {
  const work = async (lane: number, counter: Counter): Promise<void> => {
    while (counter.left > 0) {
      counter.left -= 1
      check(lane, await operation(lane))
    }
  }
  // Apart, so that the other has no branch for it.
  const recorded = async (lane: number, counter: Counter, recorder: Recorder): Promise<void> => {
    while (counter.left > 0) {
      counter.left -= 1
      recorder.began(lane)
      const result = await operation(lane)
      recorder.done(lane)
      check(lane, result)
    }
  }
  return (concurrency, operations, recorder) => {
    const counter = { left: operations }
    return timed(() =>
      Promise.all(
        Array.from({ length: concurrency }, (_, lane) =>
          recorder === undefined ? work(lane, counter) : recorded(lane, counter, recorder),
        ),
      ),
    )
  }
}

/** A callback of node:fs. */
export type Callback<T> = (error: Error | null, result: T) => void

/** Lanes on callbacks: one closure for each lane, none for an operation, as who uses callbacks for speed has it. */
export function callbackLanes<T>(
  begin: (lane: number, callback: Callback<T>) => void,
  check: (lane: number, result: T) => void,
): Program['run'] {
  return (concurrency, operations, recorder) =>
    timed(
      () =>
        new Promise<void>((resolve, reject) => {
          let left = operations
          let running = Math.min(concurrency, operations)
          const callbacks = Array.from({ length: running }, (_, lane) => {
            const callback: Callback<T> = (error, result) => {
              if (error) {
                reject(error)
                return
              }
              recorder?.done(lane)
              try {
                check(lane, result)
                next(lane, callback)
              } catch (wrong) {
                reject(wrong)
              }
            }
            return callback
          })
          const next = (lane: number, callback: Callback<T>) => {
            if (left > 0) {
              left -= 1
              recorder?.began(lane)
              begin(lane, callback)
              return
            }
            running -= 1
            if (running === 0) resolve()
          }
          for (const [lane, callback] of callbacks.entries()) next(lane, callback)
        }),
    )
}

/** A loop that blocks: there is but one lane. */
export function syncLoop<T>(
  operation: (lane: number) => T,
  check: (lane: number, result: T) => void,
): Program['run'] {
  return (_concurrency, operations, recorder) =>
    timed(async () => {
      for (let left = operations; left > 0; left -= 1) {
        recorder?.began(0)
        const result = operation(0)
        recorder?.done(0)
        check(0, result)
      }
    })
}

/** Throws unless `actual` is what was wanted: no variant wins by not doing its work. */
export function expect<T>(what: string, actual: T, wanted: T): void {
  if (actual !== wanted) throw new Error(`${what}: ${String(actual)} instead of ${String(wanted)}`)
}

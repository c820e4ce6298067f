/** How long each operation took. */
import type { Latencies } from '../protocol.js'
import { quantile } from '../statistics.js'

export class Recorder {
  readonly #begun: Float64Array
  readonly #all: Float64Array
  #count = 0

  /** With room for all, so that recording allocates nothing. */
  constructor(concurrency: number, operations: number) {
    this.#begun = new Float64Array(concurrency)
    this.#all = new Float64Array(operations)
  }

  began(lane: number): void {
    this.#begun[lane] = performance.now()
  }

  done(lane: number): void {
    this.#all[this.#count] = performance.now() - (this.#begun[lane] ?? 0)
    this.#count += 1
  }

  latencies(): Latencies {
    const sorted = this.#all.subarray(0, this.#count)
    // oxlint-disable-next-line unicorn/no-array-sort -- a typed array of its own
    sorted.sort()
    const nanoseconds = (share: number) => Math.round(quantile(sorted, share) * 1e6)
    return { p50: nanoseconds(0.5), p99: nanoseconds(0.99), p999: nanoseconds(0.999) }
  }
}

/** Times in buckets, so that a run of any length takes the same memory. */

/** Buckets in each doubling: each is some 4 % wide. */
const PER_DOUBLING = 16
/** Up to 2^40 ns, which is 18 minutes. */
const BUCKETS = 40 * PER_DOUBLING

/** A histogram as it goes from thread to thread. */
export interface HistogramData {
  counts: Float64Array
  /** The longest, in nanoseconds. */
  longest: number
}

/** Counts times, and gives back their percentiles. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS)
  #longest = 0

  /** Counts a time in milliseconds, as `performance.now()` has them. */
  record(milliseconds: number): void {
    const nanoseconds = Math.max(1, milliseconds * 1e6)
    const bucket = Math.min(BUCKETS - 1, Math.floor(Math.log2(nanoseconds) * PER_DOUBLING))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    if (nanoseconds > this.#longest) this.#longest = nanoseconds
  }

  /** Adds what another thread counted. */
  add(data: HistogramData): void {
    for (const [bucket, count] of data.counts.entries()) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count
    }
    this.#longest = Math.max(this.#longest, data.longest)
  }

  get data(): HistogramData {
    return { counts: this.#counts, longest: this.#longest }
  }

  /** The microseconds that the given share of the times (0 to 1) did not exceed; 0 if there are none. */
  percentile(share: number): number {
    const total = this.#counts.reduce((sum, count) => sum + count, 0)
    let left = total * share
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count
      // The bucket's upper edge, so that nothing looks faster than it was.
      if (count > 0 && left <= 0) return Math.min(2 ** ((bucket + 1) / PER_DOUBLING), this.#longest) / 1000
    }
    return this.longest
  }

  /** The longest, in microseconds. */
  get longest(): number {
    return this.#longest / 1000
  }
}

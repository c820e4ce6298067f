/** Whether a measured quantity grows. */

/** A quantity, as it was measured again and again at rest. */
export interface Series {
  name: string
  unit: 'MiB' | ''
  /**
   * How much it may grow from the end of the first quarter to the end, in its unit. Not 0 where the machine is noisy;
   * a leak passes any bound if the run is long enough.
   */
  bound: number
  values: number[]
}

export interface Verdict {
  name: string
  unit: string
  bound: number
  /** Medians of the second quarter and of the last. */
  early: number
  late: number
  most: number
  /** How much it grew over the last three quarters, by the median of all slopes. */
  growth: number
  isFlat: boolean
}

/** With fewer measurements nothing can be said: two of each quarter. */
export const LEAST_VALUES = 8

export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values)
  // oxlint-disable-next-line unicorn/no-array-sort -- a typed array of this function's own
  sorted.sort()
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/**
 * The Theil-Sen slope: the median of the slopes between all pairs. Nearly a third of the values may be anything at all
 * without moving it, so neither a peak nor a worker that is just ending looks like growth.
 */
export function slope(values: readonly number[]): number {
  const slopes: number[] = []
  for (let later = 1; later < values.length; later += 1) {
    for (let earlier = 0; earlier < later; earlier += 1) {
      slopes.push(((values[later] ?? 0) - (values[earlier] ?? 0)) / (later - earlier))
    }
  }
  return median(slopes)
}

/** Judges a series. The first quarter is the warm-up: heaps grow to their size, and code is compiled. */
export function judge({ name, unit, bound, values }: Series): Verdict {
  const quarter = Math.floor(values.length / 4)
  const settled = values.slice(quarter)
  const growth = slope(settled) * (settled.length - 1)
  return {
    name,
    unit,
    bound,
    early: median(values.slice(quarter, 2 * quarter)),
    late: median(values.slice(-quarter)),
    most: Math.max(...values),
    growth,
    isFlat: growth <= bound,
  }
}

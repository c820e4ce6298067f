/** Medians, and what noise makes of them. */

/** The value below which the fraction `share` of sorted numbers lies, between neighbours by proportion. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const place = (sorted.length - 1) * share
  const below = Math.floor(place)
  const low = sorted[below] ?? Number.NaN
  const high = sorted[below + 1] ?? low
  return low + (high - low) * (place - below)
}

/** A figure of several rounds: its median, and the quartiles as its spread. */
export interface Figure {
  median: number
  low: number
  high: number
  rounds: number
}

/** What the rounds say; `undefined` if there are none. */
export function figure(values: readonly number[]): Figure | undefined {
  const sorted = sort(values.filter((value) => Number.isFinite(value)))
  if (sorted.length === 0) return undefined
  return {
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
    rounds: sorted.length,
  }
}

/** 1.96 standard deviations of a count of heads among so many tosses, halved: of 95 % of all medians. */
const HALF_WIDTH = 0.98

/**
 * Between which bounds the median of ever more rounds would lie, in 95 of 100 runs: two of the values, by their ranks
 * alone, whatever their distribution. With five rounds or less it is all of them.
 */
export function confidence(values: readonly number[]): { low: number; high: number } | undefined {
  const sorted = sort(values.filter((value) => Number.isFinite(value)))
  const cut = Math.max(0, Math.floor(sorted.length / 2 - HALF_WIDTH * Math.sqrt(sorted.length)) - 1)
  const [low, high] = [sorted[cut], sorted[sorted.length - 1 - cut]]
  return low === undefined || high === undefined ? undefined : { low, high }
}

function sort(values: readonly number[]): number[] {
  // oxlint-disable-next-line unicorn/no-array-sort -- the copy is this function's own
  return [...values].sort((one, other) => one - other)
}

/**
 * The ratio of two variants, round by round: what slows a round of both cancels out. Rounds that one of them does not
 * have are left out.
 */
export function ratio(
  values: readonly (number | undefined)[],
  base: readonly (number | undefined)[],
): Figure | undefined {
  return figure(ratios(values, base))
}

/** The ratios of all rounds that both have. */
export function ratios(
  values: readonly (number | undefined)[],
  base: readonly (number | undefined)[],
): number[] {
  return values.flatMap((value, round) => {
    const other = base[round]
    return value === undefined || other === undefined || other === 0 ? [] : [value / other]
  })
}

/** What the rounds say of two builds, beside what they say of one and itself. */
import { confidence, type Figure, figure, ratios } from '../statistics.js'

export interface Comparison {
  /** Of this build's time for an operation and the other's, round by round. */
  ratio: Figure
  /** The same of the other build and itself: what is nothing but noise. */
  noise: Figure
  /**
   * `same`: no farther from one than the other build is from itself. The text says within how many percent of the other
   * build this one is, with 95 % confidence.
   */
  verdict: { kind: 'same' | 'slower' | 'faster'; text: string }
}

type Times = readonly (number | undefined)[]

/** Undefined where one of them was not measured. */
export function compare(here: Times, base: Times, again: Times): Comparison | undefined {
  const between = ratios(here, base)
  const within = ratios(again, base)
  const [ratio, noise] = [figure(between), figure(within)]
  const [bounds, noiseBounds] = [confidence(between), confidence(within)]
  if (!ratio || !noise || !bounds || !noiseBounds) return undefined
  const farthest = distance(bounds)
  const byNoise = distance(noiseBounds)
  const text = `within ${percent(farthest)}`
  if (Math.abs(ratio.median - 1) <= byNoise) return { ratio, noise, verdict: { kind: 'same', text } }
  const kind = ratio.median > 1 ? 'slower' : 'faster'
  const by = percent(Math.abs(ratio.median - 1))
  return { ratio, noise, verdict: { kind, text: `${by} ${kind} (${text}; A/A ${percent(byNoise)})` } }
}

function distance({ low, high }: { low: number; high: number }): number {
  return Math.max(Math.abs(low - 1), Math.abs(high - 1))
}

/** Rounded up to a tenth: a bound that was rounded down would be none. */
function percent(share: number): string {
  return `${(Math.ceil(share * 1000 - 1e-9) / 10).toFixed(1)} %`
}

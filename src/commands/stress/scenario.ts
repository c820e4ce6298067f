/** What is run: the load that the threads make, and how persistent their cancels are. */
import type { RingOptions } from '../../arguments/ring-options.js'

/** The load. */
export interface Scenario {
  name: string
  threads: number
  /** What each write adds to its eventfd. */
  add: 0 | 1
  /** Whether the two reads are `IOSQE_ASYNC`. */
  async: boolean
  /** The most µs that a thread waits before it cancels; 0 is no wait. */
  spin: number
  /** Rounds of each thread, if limited. */
  rounds: number | undefined
  /** Seconds of each mode, if limited. */
  seconds: number | undefined
}

/** `raw` trusts one cancel, as the report did; `safe` is the library. */
export type Mode = 'raw' | 'safe'

/** How long after its cancel a read counts as lost in mode raw, in milliseconds. */
const LOST_AFTER = 1000

/** The ring of a thread in each mode. */
export const RING_OPTIONS: Record<Mode, RingOptions> = {
  raw: { cancel: { reissue: false, stuckAfter: LOST_AFTER } },
  safe: {},
}

/** A scenario in words. */
export function describeScenario(scenario: Scenario): string {
  const { name, threads, add, rounds, seconds } = scenario
  const spin = scenario.spin > 0 ? `, a wait of 0 to ${scenario.spin} µs before the cancels` : ''
  const limits = [
    ...(rounds === undefined ? [] : [`${rounds} rounds of each thread`]),
    ...(seconds === undefined ? [] : [`${seconds} s`]),
  ]
  const reads = scenario.async ? 'reads with IOSQE_ASYNC' : 'plain reads'
  return `${name}: ${threads} threads, ${reads}${spin}, writes add ${add}; for ${limits.join(', at most ')}`
}

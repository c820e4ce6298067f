/** What goes between the coordinator and its threads. */
import type { RingStats } from '../../native/counters.js'
import type { HistogramData } from './histogram.js'
import type { Mode, Scenario } from './scenario.js'

/** What a thread is to do. */
export interface Task {
  /** Its index. */
  thread: number
  scenario: Scenario
  mode: Mode
  /** The eventfds of all threads. */
  eventfds: number[]
  /** The words of {@link Word}. */
  words: Int32Array
}

/** The words that all threads share: two that start and stop them, then each has its own, counting what it did. */
export const Word = {
  START: 0,
  STOP: 1,
  rounds: (thread: number) => 2 + 2 * thread,
  lost: (thread: number) => 3 + 2 * thread,
  count: (threads: number) => 2 + 2 * threads,
} as const

/** A read without a completion long after its cancel. */
export interface Lost {
  thread: number
  /** The index of its eventfd. */
  eventfd: number
  attempts: number
  /** What the last cancel answered; `undefined` if it did not. */
  answer: number | undefined
}

/** What a thread counted, independently of its ring. */
export interface Counts {
  rounds: number
  /** Operations. */
  submitted: number
  settled: number
  reads: number
  /** Reads that brought a count, and the sum of those. */
  delivered: number
  returned: number
  /** Reads that ended by their cancel. */
  cancelled: number
  /** The sum of what the writes added. */
  added: number
}

/** What a thread did. */
export interface ThreadResult {
  counts: Counts
  stats: RingStats
  /** From cancel to completion, of each read. */
  latency: HistogramData
}

export type FromThread =
  /** It waits for its start, so that all start together: a round is over long before another thread is there. */
  { type: 'ready' } | { type: 'lost'; lost: Lost } | { type: 'result'; result: ThreadResult }

/** What a ring has counted. */
import type { NativeRing } from './native-functions.js'
import { Counter, COUNTERS_TOTAL } from './protocol.js'

/**
 * What cancels answered: advice about the operation, never its completion.
 *
 * @example
 * ```ts
 * const { found, already } = ring.stats().cancelAnswers
 * ```
 */
export interface CancelAnswers {
  /** How many were zero or more: found. */
  found: number
  /** How many were -ENOENT: not found, which may mean over, or in a gap between two queues of the kernel. */
  notFound: number
  /** How many were -EALREADY: running in a worker thread of the kernel, and signalled. */
  already: number
  /** How many were anything else. */
  other: number
}

/**
 * A ring's counters since it was made; `inFlight`, `queued` and `arenaHeld` are levels. Counted are operations and
 * cancels; only `arenaHeld` is in bytes.
 *
 * @example
 * ```ts
 * const { submitted, completed, inFlight, queued } = ring.stats()
 * console.log(submitted === completed + inFlight + queued)
 * ```
 */
export interface RingStats {
  /** Operations that the ring accepted. */
  submitted: number
  /** Operations that settled, whatever became of them. */
  completed: number
  /** Operations in the kernel's hands now. */
  inFlight: number
  /** Operations that wait in the queue now. */
  queued: number
  /** Operations whose cancellation was asked for: by cancel, signal, timeout, closeFd or destroy. */
  cancelsRequested: number
  /** How many cancels were issued to the kernel. */
  cancelAttempts: number
  /** How many of them were beyond the first for an operation. */
  reissues: number
  /** Operations that completed only after a re-issue: the naive way would have lost them. */
  rescued: number
  /** Operations that were reported as stuck. */
  stuck: number
  /** The most cancels that one operation took. */
  maxAttempts: number
  /** What the cancels answered. */
  cancelAnswers: CancelAnswers
  /** How often the kernel took no submissions for a moment, for want of memory or room. */
  refusals: number
  /** Bytes of core memory that operations or buffers hold now. */
  arenaHeld: number
}

/** Reads a ring's counters. */
export function readStats(native: NativeRing): RingStats {
  const numbers = new Float64Array(COUNTERS_TOTAL)
  native.stats(numbers)
  const of = (counter: (typeof Counter)[keyof typeof Counter]) => numbers[counter] ?? 0
  return {
    submitted: of(Counter.SUBMITTED),
    completed: of(Counter.COMPLETED),
    inFlight: of(Counter.IN_FLIGHT),
    queued: of(Counter.QUEUED),
    cancelsRequested: of(Counter.CANCELS_REQUESTED),
    cancelAttempts: of(Counter.CANCEL_ATTEMPTS),
    reissues: of(Counter.REISSUES),
    rescued: of(Counter.RESCUED),
    stuck: of(Counter.STUCK),
    maxAttempts: of(Counter.MAX_ATTEMPTS),
    cancelAnswers: {
      found: of(Counter.ANSWERS_FOUND),
      notFound: of(Counter.ANSWERS_NOT_FOUND),
      already: of(Counter.ANSWERS_ALREADY),
      other: of(Counter.ANSWERS_OTHER),
    },
    refusals: of(Counter.REFUSALS),
    arenaHeld: of(Counter.ARENA_HELD),
  }
}

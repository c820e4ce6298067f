/** What a ring has counted. */
import type { NativeRing } from './native-functions.js'

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

const WORDS = 17

/** Reads a ring's counters. */
export function readStats(native: NativeRing): RingStats {
  const words = new Float64Array(WORDS)
  native.stats(words)
  const word = (index: number) => words[index] ?? 0
  return {
    submitted: word(0),
    completed: word(1),
    inFlight: word(2),
    queued: word(3),
    cancelsRequested: word(4),
    cancelAttempts: word(5),
    reissues: word(6),
    rescued: word(7),
    stuck: word(8),
    maxAttempts: word(9),
    cancelAnswers: { found: word(10), notFound: word(11), already: word(12), other: word(13) },
    refusals: word(14),
    arenaHeld: word(16),
  }
}

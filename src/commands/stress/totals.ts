/** What all threads of a run did together. */
import type { RingStats } from '../../native/counters.js'
import type { Counts } from './messages.js'

type Answers = RingStats['cancelAnswers']

/** The sums over all threads. */
export interface Totals {
  counts: Counts
  stats: TotalStats
}

/** What of the rings' statistics a run tells. */
export interface TotalStats extends Pick<
  RingStats,
  'submitted' | 'completed' | 'cancelsRequested' | 'cancelAttempts' | 'reissues' | 'rescued'
> {
  cancelAnswers: Answers
  /** The most cancels that one operation took, in any thread. */
  maxAttempts: number
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}

export function addCounts(all: readonly Counts[]): Counts {
  return {
    rounds: sum(all, ({ rounds }) => rounds),
    submitted: sum(all, ({ submitted }) => submitted),
    settled: sum(all, ({ settled }) => settled),
    reads: sum(all, ({ reads }) => reads),
    delivered: sum(all, ({ delivered }) => delivered),
    returned: sum(all, ({ returned }) => returned),
    cancelled: sum(all, ({ cancelled }) => cancelled),
    added: sum(all, ({ added }) => added),
  }
}

export function addStats(all: readonly RingStats[]): TotalStats {
  return {
    submitted: sum(all, ({ submitted }) => submitted),
    completed: sum(all, ({ completed }) => completed),
    cancelsRequested: sum(all, ({ cancelsRequested }) => cancelsRequested),
    cancelAttempts: sum(all, ({ cancelAttempts }) => cancelAttempts),
    reissues: sum(all, ({ reissues }) => reissues),
    rescued: sum(all, ({ rescued }) => rescued),
    maxAttempts: Math.max(0, ...all.map(({ maxAttempts }) => maxAttempts)),
    cancelAnswers: {
      found: sum(all, ({ cancelAnswers }) => cancelAnswers.found),
      notFound: sum(all, ({ cancelAnswers }) => cancelAnswers.notFound),
      already: sum(all, ({ cancelAnswers }) => cancelAnswers.already),
      other: sum(all, ({ cancelAnswers }) => cancelAnswers.other),
    },
  }
}

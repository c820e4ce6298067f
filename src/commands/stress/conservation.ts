/** What must hold after every run, whatever the cancels answered. */
import type { RingStats } from '../../native/counters.js'
import type { Counts } from './messages.js'

/** What a run is judged by. */
export interface Accounts {
  /** What each write added. */
  add: 0 | 1
  /** What the threads counted. */
  counts: Counts
  /** What their rings counted. */
  stats: Pick<RingStats, 'submitted' | 'completed'>
  /** What was left in the eventfds. */
  left: number
}

/** The sentences that say what does not add up; none if all does. */
export function checkConservation({ add, counts, stats, left }: Accounts): string[] {
  const { submitted, settled, reads, delivered, cancelled, added, returned } = counts
  const problems: string[] = []
  const equal = (isHeld: boolean, problem: string) => {
    if (!isHeld) problems.push(problem)
  }
  equal(settled === submitted, `${submitted} operations were submitted, and ${settled} settled`)
  equal(
    stats.submitted === submitted && stats.completed === settled,
    `the rings count ${stats.submitted} operations submitted and ${stats.completed} settled, the threads ${submitted} and ${settled}`,
  )
  equal(
    delivered + cancelled === reads,
    `of ${reads} reads ${delivered} returned a count and ${cancelled} were cancelled, which is ${delivered + cancelled}`,
  )
  equal(
    added === returned + left,
    `the writes added ${added}, but the reads returned ${returned} and ${left} is left in the eventfds, which is ${returned + left}`,
  )
  equal(
    add === 1 || delivered === 0,
    `the writes added 0, so that every read had to end by its cancel, but ${delivered} returned a count`,
  )
  return problems
}

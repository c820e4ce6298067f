/** One scenario in one mode, from making the eventfds to the verdict. */
import { eventfd } from '../../descriptors/make.js'
import { CANCELLED } from '../../errors.js'
import { PollEvents } from '../../operations/poll.js'
import { Ring } from '../../ring.js'
import { checkConservation } from './conservation.js'
import { Histogram } from './histogram.js'
import { answerName } from './lost.js'
import { type Lost, type Task, Word } from './messages.js'
import type { Mode, Scenario } from './scenario.js'
import { runThreads, type ThreadOptions } from './threads.js'
import { addCounts, addStats, type Totals } from './totals.js'
import { isForWant } from './want.js'

const TICK = 200
/** An eventfd that has something answers at once. */
const POLL_MILLISECONDS = 50

/**
 * The coordinator's own ring, which takes from the eventfds what is left, and closes them. It is made first, so that it is there
 * when the threads' rings have used all the memory that may be locked; and it is small, so that it takes little of that.
 */
const OWN_RING = { entries: 8, completionEntries: 16 }

/** How a run is watched, and stopped before its time. */
export interface Watch extends ThreadOptions {
  signal?: AbortSignal
  onLost?: (lost: Lost) => void
  /** The milliseconds since the start, and what all threads have done until then. */
  onProgress?: (milliseconds: number, rounds: number, lost: number) => void
}

/** What a run found. */
export interface Run extends Totals {
  scenario: Scenario
  mode: Mode
  /** How long it took. */
  seconds: number
  latency: Histogram
  /** How many operations were lost, by what their cancel answered. */
  lost: Map<string, number>
  /** What was left in the eventfds. */
  left: number
  /** What did not hold, or why it was not judged: none if the run passed. */
  problems: string[]
  verdict: Verdict
  /** Whether a thread could not be stopped, so that only a signal ends the process. */
  isHung: boolean
}

/** `not judged` where threads or rings could not be made, for want of memory or descriptors. */
export type Verdict = 'held' | 'failed' | 'not judged'

/** Runs a scenario in a mode. */
export async function runScenario(scenario: Scenario, mode: Mode, watch: Watch = {}): Promise<Run> {
  try {
    return await runWithRing(new Ring(OWN_RING), scenario, mode, watch)
  } catch (error) {
    if (!isForWant(error)) throw error
    return notRun(scenario, mode, error)
  }
}

async function runWithRing(ring: Ring, scenario: Scenario, mode: Mode, watch: Watch): Promise<Run> {
  const eventfds: number[] = []
  try {
    while (eventfds.length < scenario.threads) eventfds.push(eventfd())
    return await runOn(ring, eventfds, scenario, mode, watch)
  } finally {
    // Not by node:fs: Deno's knows only the descriptors that it opened.
    for (const fd of eventfds) await ring.closeFd(fd)
    await ring.close()
  }
}

/** A run that did not begin. */
function notRun(scenario: Scenario, mode: Mode, { message }: Error): Run {
  const nothing = { counts: addCounts([]), stats: addStats([]), latency: new Histogram(), lost: new Map() }
  const verdict = 'not judged'
  return { scenario, mode, seconds: 0, ...nothing, left: 0, problems: [message], verdict, isHung: false }
}

async function runOn(
  ring: Ring,
  eventfds: number[],
  scenario: Scenario,
  mode: Mode,
  watch: Watch,
): Promise<Run> {
  const bytes = Word.count(scenario.threads) * Int32Array.BYTES_PER_ELEMENT
  const words = new Int32Array(new SharedArrayBuffer(bytes))
  const lost = new Map<string, number>()
  const noteLost = (operation: Lost) => {
    const answer = answerName(operation.answer)
    lost.set(answer, (lost.get(answer) ?? 0) + 1)
    watch.onLost?.(operation)
  }
  const clock = new Clock(scenario, words, watch)
  const tasks = eventfds.map((_, thread): Task => ({ thread, scenario, mode, eventfds, words }))
  const { results, failures, isHung } = await runThreads(tasks, words, () => clock.start(), noteLost, watch)
  const seconds = clock.stop()
  const latency = new Histogram()
  for (const result of results) latency.add(result.latency)
  const counts = addCounts(results.map((result) => result.counts))
  const stats = addStats(results.map((result) => result.stats))
  // What a thread did that failed is not known, so that nothing can add up.
  const left = failures.length > 0 ? 0 : await takeRest(ring, eventfds)
  const problems =
    failures.length > 0
      ? failures.map(({ text }) => text)
      : checkConservation({ add: scenario.add, counts, stats, left })
  const lostCount = [...lost.values()].reduce((sum, count) => sum + count, 0)
  if (mode === 'safe' && lostCount > 0) {
    problems.push(`${lostCount} operations did not end within stuckAfter of their cancel, in mode safe`)
  }
  // A read that mode safe lost is a verdict, whatever the threads had not.
  const isJudged = problems.length > failures.length || failures.some((failure) => !failure.isForWant)
  const verdict = problems.length === 0 ? 'held' : isJudged ? 'failed' : 'not judged'
  return { scenario, mode, seconds, counts, stats, latency, lost, left, problems, verdict, isHung }
}

/** Stops the threads when their time is over, or when the run is interrupted, and tells of their progress. */
class Clock {
  readonly #scenario: Scenario
  readonly #words: Int32Array
  readonly #watch: Watch
  #startedAt = 0
  #end: NodeJS.Timeout | undefined
  #tick: NodeJS.Timeout | undefined

  constructor(scenario: Scenario, words: Int32Array, watch: Watch) {
    this.#scenario = scenario
    this.#words = words
    this.#watch = watch
    const { signal } = watch
    if (signal?.aborted === true) this.#stopThreads()
    signal?.addEventListener('abort', this.#stopThreads, { once: true })
  }

  readonly #stopThreads = (): void => {
    Atomics.store(this.#words, Word.STOP, 1)
  }

  start(): void {
    this.#startedAt = performance.now()
    const { seconds } = this.#scenario
    if (seconds !== undefined) this.#end = setTimeout(this.#stopThreads, seconds * 1000)
    this.#tick = setInterval(() => this.#tell(), TICK)
  }

  #tell(): void {
    let rounds = 0
    let lost = 0
    for (let thread = 0; thread < this.#scenario.threads; thread += 1) {
      rounds += Atomics.load(this.#words, Word.rounds(thread))
      lost += Atomics.load(this.#words, Word.lost(thread))
    }
    this.#watch.onProgress?.(performance.now() - this.#startedAt, rounds, lost)
  }

  /** The seconds since the start. */
  stop(): number {
    clearTimeout(this.#end)
    clearInterval(this.#tick)
    this.#watch.signal?.removeEventListener('abort', this.#stopThreads)
    return (performance.now() - this.#startedAt) / 1000
  }
}

/** The sum of what is left in the eventfds. A read of a blocking one at zero would hang, so each is polled first. */
async function takeRest(ring: Ring, eventfds: number[]): Promise<number> {
  const take = async (fd: number) => {
    const options = { timeout: POLL_MILLISECONDS, onCancel: 'resolve' } as const
    const events = await ring.poll(fd, PollEvents.POLLIN, options)
    if (events === CANCELLED) return 0
    const { buffer } = await ring.read(fd, new BigUint64Array(1))
    return Number(buffer[0])
  }
  const rests = await Promise.all(eventfds.map(take))
  return rests.reduce((sum, rest) => sum + rest, 0)
}

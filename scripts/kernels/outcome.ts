/** What came of one kernel, read off what its guest reported. */
import type { Transcript } from './console.js'
import type { StepResult } from './job.js'
import { PROBE, SEARCH_STEPS } from './plan.js'
import { stressRuns, type StressRun } from './stress-result.js'

/** A series that was booted. */
export interface Booted {
  series: string
  /** The package's version. */
  version: string
  /** The names of the steps that were asked for. */
  planned: readonly string[]
  timedOut: boolean
  seconds: number
  transcript: Transcript
}

/** A series that could not be. */
export interface NotHeld {
  series: string
  why: string
}

export type Outcome = Booted | NotHeld

export function isBooted(outcome: Outcome): outcome is Booted {
  return 'transcript' in outcome
}

/** A run of a stress program, with its step's name. */
export interface NamedRun extends StressRun {
  step: string
}

/** What the stress programs did on a kernel. */
export function stressOn({ transcript }: Booted): NamedRun[] {
  return transcript.results.flatMap(({ name, json }) =>
    stressRuns(json).map((run) => Object.assign(run, { step: name })),
  )
}

/** Whether mode raw lost something that nothing but a further cancel would have ended. */
export function hasLostRaw(outcome: Booted): boolean {
  return stressOn(outcome).some(({ step, lost }) => isSearch(step) && lost > 0)
}

function isSearch(step: string): boolean {
  return SEARCH_STEPS.some((name) => name === step)
}

/** The flags of a ring that the library does without here. */
export function fallbacksOn({ transcript }: Booted): string[] | undefined {
  const probe = transcript.results.find(({ name }) => name === PROBE)?.json
  if (typeof probe !== 'object' || probe === null || !('flags' in probe)) return undefined
  const flags = Object.entries(probe.flags as Record<string, boolean>)
  return flags.filter(([, isThere]) => !isThere).map(([flag]) => flag)
}

/** The tests of a kernel's guest. */
export function testsOn({ transcript }: Booted): { passed: number; failed: number; notRun: string[] } {
  const tallies = transcript.results.flatMap(({ name, tally }) => (tally ? [{ name, tally }] : []))
  return {
    passed: tallies.reduce((sum, { tally }) => sum + tally.passed, 0),
    failed: tallies.reduce((sum, { tally }) => sum + tally.failed, 0),
    notRun: tallies.flatMap(({ name, tally }) => tally.notRun.map((test) => `${name}: ${test}`)),
  }
}

/** Why a step counts as failed; undefined if it does not. */
export function failureOf(result: StepResult): string | undefined {
  const { name, status, signal, timedOut, seconds, tally, json } = result
  if (timedOut) return `${name} hangs: killed after ${seconds} s`
  if (signal !== null) return `${name} ended by ${signal}`
  if (tally !== undefined) {
    if (tally.failed > 0) return `${name}: ${tally.failed} of ${tally.passed + tally.failed} tests failed`
    if (status !== 0) return `${name} ended with ${status}`
    return tally.passed === 0 ? `${name} ran no test` : undefined
  }
  if (result.skipped === true) return undefined
  if (name === PROBE) return supportOf(json, status)
  const runs = stressRuns(json)
  const problems = runs.flatMap(({ mode, problems: found }) => found.map((problem) => `${mode}: ${problem}`))
  const lost = runs.filter(({ mode }) => mode === 'safe').reduce((sum, run) => sum + run.lost, 0)
  if (lost > 0) return `${name}: mode safe lost ${lost}`
  if (problems.length > 0) return `${name}: ${problems.join('; ')}`
  if (status !== 0) return `${name} ended with ${status}`
  if (runs.length === 0) return `${name} printed no result`
  return runs.some(({ rounds }) => rounds === 0) ? `${name} finished no round` : undefined
}

function supportOf(json: unknown, status: number | null): string | undefined {
  if (typeof json !== 'object' || json === null || status !== 0) return `${PROBE} ended with ${status}`
  return 'supported' in json && json.supported === true ? undefined : 'the library finds no io_uring here'
}

/** One boot, and another of the same kernel. */
export function merge(first: Booted, second: Booted): Booted {
  return {
    ...first,
    planned: [...first.planned, ...second.planned],
    timedOut: first.timedOut || second.timedOut,
    seconds: first.seconds + second.seconds,
    transcript: {
      ...first.transcript,
      processors: Math.min(first.transcript.processors, second.transcript.processors),
      results: [...first.transcript.results, ...second.transcript.results],
      isWhole: first.transcript.isWhole && second.transcript.isWhole,
      tail: `${first.transcript.tail}\n${second.transcript.tail}`,
    },
  }
}

/** What a guest did before QEMU ended it, as if no more had been asked of it. */
export function untilFault(outcome: Booted): Booted {
  const transcript = { ...outcome.transcript, isWhole: true, tail: '' }
  return { ...outcome, planned: transcript.results.map(({ name }) => name), timedOut: false, transcript }
}

/** A step in one line. */
export function describe(result: StepResult): string {
  const { name, seconds, tally, json, skipped } = result
  if (skipped === true) return `${name}: not needed`
  const counts = tally && [`${tally.passed} passed, ${tally.failed} failed`]
  const runs = stressRuns(json).map((run) => {
    const answers = Object.entries(run.lostByAnswer).map(([answer, count]) => `${count} ${answer}`)
    return `${run.rounds} rounds, lost ${[String(run.lost), ...answers].join(' ')}, rescued ${run.rescued}`
  })
  return `${name}: ${[...(counts ?? runs), `${seconds} s`, failureOf(result) ?? 'ok'].join(', ')}`
}

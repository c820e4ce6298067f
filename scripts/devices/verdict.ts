/** Whether the rows held: the ring beside the plain system calls, and what is known to be right. */
import type { StepResult } from '../kernels/job.js'
import type { Booted, NotHeld } from '../kernels/outcome.js'
import { judge as judgeOthers } from '../kernels/verdict.js'
import { type Plan, stepName } from './plan.js'
import {
  LONGEST_BUSY,
  LONGEST_GAP,
  LONGEST_SLEEP,
  type Observed,
  type Pass,
  type Row,
  type RowResult,
  titleOf,
  type WayName,
  WAYS,
} from './row.js'

/** A kernel on which rows ran. */
export interface OnKernel extends Booted {
  plan: Plan
}

export type Outcome = OnKernel | NotHeld

export function isKernel(outcome: Outcome): outcome is OnKernel {
  return 'transcript' in outcome
}

/**
 * Whether steps took longer, by the guest's clock, than the whole of it by the host's: a host that is busy while a kernel measures
 * how fast its clock is makes it err by ten times and more, and then everything there is over before it began.
 */
export function hasWrongClock({ transcript, seconds }: OnKernel): boolean {
  return transcript.results.reduce((sum, result) => sum + result.seconds, 0) > seconds
}

export interface JudgedRow {
  device: string
  row: Row
  /** Undefined: it never ended. */
  result: RowResult | undefined
  problems: readonly string[]
}

export interface Verdict {
  passed: number
  failed: number
  /** One for each failure. */
  failures: string[]
}

/** All rows of a kernel, in order. */
export function judgeRows({ plan, transcript }: OnKernel): JudgedRow[] {
  return plan.rows.map(({ device, row }) => {
    const step = transcript.results.find(({ name }) => name === stepName(device.name))
    const result = rowsOf(step).find((candidate) => candidate.row === row.name)
    const problems = result === undefined ? [`never ended: ${howEnded(step)}`] : problemsOf(row, result)
    return { device: device.name, row, result, problems }
  })
}

function rowsOf(step: StepResult | undefined): RowResult[] {
  if (!Array.isArray(step?.json)) return []
  return (step.json as unknown[]).filter(
    (line): line is RowResult => typeof line === 'object' && line !== null && 'row' in line && 'ways' in line,
  )
}

function howEnded(step: StepResult | undefined): string {
  if (step === undefined) return 'its device was never reached'
  if (step.timedOut) return `the program was killed after ${step.seconds} s`
  const end = step.signal === null ? `with ${step.status}` : `by ${step.signal}`
  return `the program ended ${end}${step.tail === undefined ? '' : `\n${step.tail}`}`
}

/** What is wrong with a row; nothing if it is as it should be. */
export function problemsOf(row: Row, { ways }: RowResult): string[] {
  const missing = (row.ways ?? WAYS).filter((name) => ways[name] === undefined)
  if (missing.length > 0) return missing.map((name) => `${name} did not run`)
  const failed = (row.ways ?? WAYS).flatMap((name) => {
    const error = ways[name]?.observed['error']
    return error === undefined ? [] : [`${name}: ${error}`]
  })
  if (failed.length > 0 || ways.ring === undefined) return failed
  return [
    ...differences(row, ways.ring.observed, ways),
    ...wrongs(row, ways.ring.observed),
    ...gapOf(row, ways.ring, Math.max(0, ways.fs?.gap ?? 0, ways.plain?.gap ?? 0)),
  ]
}

function differences(
  { ways: names = WAYS, differs = {} }: Row,
  ring: Observed,
  ways: RowResult['ways'],
): string[] {
  const reference = names.find((name: WayName) => name !== 'ring')
  const other = reference && ways[reference]?.observed
  if (reference === undefined || other === undefined) return []
  return Object.entries(other).flatMap(([what, value]) => {
    if (what in differs || !(what in ring) || ring[what] === value) return []
    return [`${what}: ${ring[what]}, and ${reference}: ${value}`]
  })
}

function wrongs({ right = {} }: Row, ring: Observed): string[] {
  return Object.entries(right).flatMap(([what, pattern]) => {
    const value = ring[what]
    if (value === undefined) return [`${what}: not seen`]
    return new RegExp(`^(?:${pattern})$`).test(value) ? [] : [`${what}: ${value}, not ${pattern}`]
  })
}

/** Where the loop had a longer one while it only waited for the others, in the same row, the machine was as busy as that. */
function gapOf({ heldBecause }: Row, { gap, asleep }: Pass, beside: number): string[] {
  if (heldBecause !== undefined || gap <= Math.max(LONGEST_GAP, beside)) return []
  // Who slept in no call was kept from running by others, within limits.
  if (asleep < LONGEST_SLEEP && gap <= LONGEST_BUSY) return []
  return [`the event loop was held for ${gap} ms, ${asleep} ms in one call (beside the others: ${beside} ms)`]
}

/** Whether the step of that name runs rows. */
function isRows(name: string, { plan }: OnKernel): boolean {
  return plan.rows.some(({ device }) => stepName(device.name) === name)
}

/** Judges all kernels together. */
export function judge(outcomes: readonly Outcome[]): Verdict {
  const booted = outcomes.filter(isKernel)
  const others = booted.map((outcome) => ({
    ...outcome,
    planned: outcome.planned.filter((name) => !isRows(name, outcome)),
    transcript: {
      ...outcome.transcript,
      results: outcome.transcript.results.filter(({ name }) => !isRows(name, outcome)),
    },
  }))
  const verdict = judgeOthers(others, { searchedForLoss: false })
  for (const outcome of booted) {
    const rows = judgeRows(outcome)
    for (const { device, row, problems } of rows) {
      if (problems.length === 0) verdict.passed += 1
      else verdict.failed += 1
      for (const problem of problems.slice(0, 1)) {
        verdict.failures.push(
          `${outcome.series}: ${titleOf({ name: device, what: '', rows: [] }, row)}: ${problem}`,
        )
      }
      for (const problem of problems.slice(1)) verdict.failures.push(`    ${problem}`)
    }
    for (const { name, status, signal, timedOut, tail } of outcome.transcript.results) {
      if (!isRows(name, outcome) || (status === 0 && signal === null && !timedOut)) continue
      verdict.failed += 1
      verdict.failures.push(`${outcome.series}: ${name} ended with ${signal ?? status}\n${tail ?? ''}`)
    }
  }
  return verdict
}

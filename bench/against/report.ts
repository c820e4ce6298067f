/** What a comparison of two builds found out, as Markdown. */
import { plain, spread, table } from '../report/format.js'
import { type Cell, cpuTimes, medianOf, type WorkResult } from '../results.js'
import { AGAIN, BASE, THIS } from './rows.js'
import { compare } from './verdict.js'
import type { SystemCalls } from './system-calls.js'

/** A figure of both builds: of the other one, and of this one. */
export interface Pair<T> {
  name: string
  base: T
  here: T
}

export interface Results {
  base: string
  here: string
  machine: string
  rounds: number
  works: WorkResult[]
  /** Of this build alone: what asking first costs. */
  looks: WorkResult[]
  instructions: Pair<number>[]
  systemCalls: Pair<SystemCalls>[]
  /** What was left out, and why. */
  skipped: { name: string; why: string }[]
}

/** Nanoseconds of an operation, by round. */
export function times(cell: Cell | undefined): (number | undefined)[] {
  return cell?.rounds.map(({ operations, nanoseconds }) => nanoseconds / operations) ?? []
}

export function reportOf(results: Results): string {
  const { base, here, machine, rounds, works, looks, instructions, systemCalls, skipped } = results
  const names = { base, here }
  const parts = [
    `# ${here} against ${base}`,
    '<!-- Written by `npm run bench -- --against COMMIT --publish`. Do not edit. -->',
    `${machine}. ${rounds} rounds, the builds in turn; medians (quartiles) of the ratios of each round. A/A is ${base} against itself, in two processes. "Within n %" is of 95 % confidence; slower and faster are said only of what is farther from 1 than A/A.`,
    '## Time of an operation',
    ratioTable(names, works, times),
    '## Processor time of an operation',
    'Of all threads: what others do on the machine touches it less.',
    ratioTable(names, works, processorTimes),
  ]
  if (looks.length > 0) {
    const sides = { base: 'not asked', here: 'asked' }
    parts.push(
      '## What it costs to ask first',
      `${here} alone. What the ring opened it knows; of any other number it asks at each flush what it leads to. A/A is what is not asked for, against itself.`,
      ratioTable(sides, looks, times),
      'Processor time:',
      ratioTable(sides, looks, processorTimes),
    )
  }
  if (instructions.length > 0) {
    const rows = instructions.map(({ name, base: before, here: after }) => [
      name,
      before.toFixed(0),
      after.toFixed(0),
      change(before, after),
    ])
    parts.push(
      '## Instructions of the native side for each operation',
      table(['', base, here, 'change'], rows),
    )
  }
  if (systemCalls.length > 0) {
    const rows = systemCalls.map(({ name, base: before, here: after }) => [name, calls(before), calls(after)])
    parts.push("## System calls of the ring's thread for each operation", table(['', base, here], rows))
  }
  const missing = [
    ...[...works, ...looks].flatMap(({ work, cells }) =>
      cells.flatMap(({ variant, concurrency, failure }) =>
        failure === undefined ? [] : [`${work.title}, ${concurrency} in flight, ${variant}: ${failure}`],
      ),
    ),
    ...skipped.map(({ name, why }) => `${name}: ${why}`),
  ]
  if (missing.length > 0) parts.push('## Left out', missing.map((text) => `- ${text}`).join('\n'))
  return `${parts.join('\n\n')}\n`
}

/** Nanoseconds of processor time of an operation, by round. */
function processorTimes(cell: Cell | undefined): (number | undefined)[] {
  return cpuTimes(cell).map((microseconds) => microseconds && microseconds * 1000)
}

function ratioTable(
  { base, here }: Pick<Results, 'base' | 'here'>,
  works: readonly WorkResult[],
  of: typeof times,
): string {
  return table(
    ['row', 'in flight', `${base}, ns`, `${here}, ns`, 'ratio', 'A/A', 'verdict'],
    works.flatMap((work) => ratioRows(work, of)),
  )
}

function ratioRows({ work, cells }: WorkResult, timesOf: typeof times): string[][] {
  return work.concurrency.map((concurrency) => {
    const of = (variant: string) =>
      timesOf(cells.find((cell) => cell.concurrency === concurrency && cell.variant === variant))
    const [base, here] = [of(BASE), of(THIS)]
    const compared = compare(here, base, of(AGAIN))
    return [
      work.title,
      String(concurrency),
      plain(medianOf(base)),
      plain(medianOf(here)),
      fine(compared?.ratio),
      fine(compared?.noise),
      compared?.verdict.text ?? 'not measured',
    ]
  })
}

/** A ratio near one: three digits behind the point. */
function fine(ratio: Parameters<typeof spread>[0]): string {
  if (ratio === undefined) return spread(ratio)
  const [median, low, high] = [ratio.median, ratio.low, ratio.high].map((value) => value.toFixed(3))
  return `${median} (${low}–${high})`
}

function change(before: number, after: number): string {
  const percent = (after / before - 1) * 100
  return `${percent >= 0 ? '+' : '−'}${Math.abs(percent).toFixed(1)} %`
}

function calls(counts: SystemCalls): string {
  const all = Object.entries(counts).map(([name, count]) => `${name} ${count.toFixed(2)}`)
  return all.length === 0 ? 'none' : all.join(', ')
}

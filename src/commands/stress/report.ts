/** What a run found, as a table for people and as JSON for programs. */
import { availableParallelism, release } from 'node:os'

import { runtimeOf } from '../../native/addon/runtime.js'
import type { Run, Verdict } from './run.js'

/** The runs of one scenario, side by side. */
export function formatTable(runs: readonly Run[]): string {
  const cells = [['', ...runs.map(({ mode }) => mode)], ...ROWS.map((row) => cellsOf(row, runs))]
  const shown = cells.filter((row) => row.slice(1).some((cell) => cell !== ''))
  const labelWidth = Math.max(...shown.map(([label = '']) => label.length))
  const lines = shown.map(([label = '', ...values]) => {
    const padded = values.map((value) => value.padStart(VALUE_WIDTH))
    return `  ${label.padEnd(labelWidth)}${padded.join('')}`.trimEnd()
  })
  return `${lines.join('\n')}\n`
}

const VALUE_WIDTH = 14

/** A row's label, and what it shows of a run; an empty cell shows nothing, and so a row of them is left out. */
type Row = readonly [label: string, value: (run: Run) => number | string]

const ROWS: readonly Row[] = [
  ['rounds', ({ counts }) => counts.rounds],
  ['rounds per second', (run) => roundsPerSecond(run)],
  ['operations', ({ counts }) => counts.submitted],
  ['  reads that returned a count', ({ counts }) => counts.delivered],
  ['  reads that were cancelled', ({ counts }) => counts.cancelled],
  ['cancels issued', ({ stats }) => stats.cancelAttempts],
  ['  answered 0 (found)', ({ stats }) => stats.cancelAnswers.found],
  ['  answered -ENOENT', ({ stats }) => stats.cancelAnswers.notFound],
  ['  answered -EALREADY', ({ stats }) => stats.cancelAnswers.already],
  ['  answered otherwise', ({ stats }) => stats.cancelAnswers.other],
  ['lost', (run) => lostCount(run)],
  ['re-issued', ({ stats }) => stats.reissues],
  ['rescued by that', ({ stats }) => stats.rescued],
  ['most cancels of one read', ({ stats }) => stats.maxAttempts],
  ['µs from cancel to completion: p50', ({ latency }) => latency.percentile(0.5)],
  ['                              p99', ({ latency }) => latency.percentile(0.99)],
  ['                              max', ({ latency }) => latency.longest],
  ['conservation', ({ verdict }) => VERDICTS[verdict]],
]

const VERDICTS: Readonly<Record<Verdict, string>> = {
  held: 'held',
  failed: 'FAILED',
  'not judged': 'not judged',
}

function cellsOf([label, value]: Row, runs: readonly Run[]): string[] {
  return [label, ...runs.map((run) => formatCell(value(run)))]
}

function formatCell(value: number | string): string {
  if (typeof value === 'string') return value
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 })
}

export function roundsPerSecond({ counts, seconds }: Run): number {
  return seconds > 0 ? Math.round(counts.rounds / seconds) : 0
}

/** How many operations a run lost. */
export function lostCount({ lost }: Run): number {
  return [...lost.values()].reduce((sum, count) => sum + count, 0)
}

/** What mode raw lost, in a sentence: also when nothing, which proves nothing. */
export function describeLost(run: Run): string {
  const count = lostCount(run)
  if (count === 0) {
    return 'raw: lost 0 (it depends on timing: a longer run, or load on the machine, may lose some).'
  }
  const answers = [...run.lost].map(([answer, times]) => `${times} after the answer ${answer}`)
  const reads = count === 1 ? '1 read' : `${count} reads`
  return `raw: lost ${reads} (${answers.join(', ')}): no completion one second after the cancel, until another cancel.`
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}

/** A run for programs. Times are in µs. */
function runToJson(run: Run) {
  const { scenario, mode, seconds, counts, stats, latency, lost, left, problems, verdict } = run
  return {
    scenario: scenario.name,
    threads: scenario.threads,
    add: scenario.add,
    async: scenario.async,
    spin: scenario.spin,
    mode,
    seconds: tenths(seconds),
    rounds: counts.rounds,
    roundsPerSecond: roundsPerSecond(run),
    operations: { submitted: counts.submitted, settled: counts.settled },
    reads: { submitted: counts.reads, delivered: counts.delivered, cancelled: counts.cancelled },
    cancels: { requested: stats.cancelsRequested, issued: stats.cancelAttempts, ...stats.cancelAnswers },
    lost: { count: lostCount(run), byAnswer: Object.fromEntries(lost) },
    reissued: stats.reissues,
    rescued: stats.rescued,
    mostAttempts: stats.maxAttempts,
    microseconds: {
      p50: tenths(latency.percentile(0.5)),
      p99: tenths(latency.percentile(0.99)),
      max: tenths(latency.longest),
    },
    conservation: { added: counts.added, returned: counts.returned, left },
    verdict,
    problems,
  }
}

/** All runs for programs. */
export function toJson(runs: readonly Run[], version: string, isInterrupted: boolean): string {
  const document = {
    version,
    kernel: release(),
    runtime: runtimeOf(),
    node: process.version,
    processors: availableParallelism(),
    ok: runs.every(({ problems }) => problems.length === 0),
    interrupted: isInterrupted,
    runs: runs.map(runToJson),
  }
  return `${JSON.stringify(document, undefined, 2)}\n`
}

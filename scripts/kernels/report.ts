/** docs/kernels.md, from a run. */
import { fallbacksOn, isBooted, type NamedRun, type Outcome, stressOn, testsOn } from './outcome.js'
import { SEARCH_STEPS } from './plan.js'

/** What the run was made with. */
export interface Circumstances {
  date: Date
  command: string
  qemu: string
  qemuArguments: readonly string[]
  host: string
  seconds: number
}

type Row = readonly string[]

/** The page. */
export function formatReport(outcomes: readonly Outcome[], circumstances: Circumstances): string {
  const { date, command, qemu, qemuArguments, host, seconds } = circumstances
  const guests = outcomes.filter(isBooted).map(({ transcript }) => transcript)
  const node = guests.find((guest) => guest.node !== undefined)?.node ?? 'unknown'
  const processor = guests.find((guest) => guest.processor !== undefined)?.processor ?? 'unknown'
  return `# On real kernels

Written by \`${command}\` on ${date.toISOString().slice(0, 10)}, never by hand. Debian's kernels, and gokrazy's 6.8 (Ubuntu 24.04 has a 6.8), in QEMU
${qemu} (\`${qemuArguments.join(' ')}\`, software emulation; the guest's processor: ${processor}) on Linux ${host};
Node ${node} in the guests. Mode raw searches for a loss for at most ${seconds} s a kernel.

Mode raw trusts one cancel, as the report of 2022 did; a read without a completion one second later counts as lost.
Mode safe is the library. Linux 6.12.115 and 7.3.2 have mended the lost cancel, and 6.1.191 most of it, by the changelogs of
Debian's kernels: there mode raw loses little or nothing, and the older ones show what mode safe is worth. All with \`--async\`, four threads, and a random spin before the cancels.

## The contract

${table(
  [
    'kernel',
    'version',
    'does without',
    'tests passed',
    'failed',
    'raw: rounds',
    'raw: lost',
    'safe: rounds',
    'safe: lost',
    're-issued',
    'rescued',
    'worst ms from cancel to end',
  ],
  outcomes.map(contractRow),
)}

The stress test in Rust, \`--add 0\`: a lost read can only be ended by another cancel. Mode raw ends with its first
loss; a second number says that it took a second load in the guest. "Does without": flags of a ring that the kernel
does not know. The library uses no flags of a cancel (5.19 and later) on any kernel.

## The other runs

${table(
  ['kernel', 'program', 'mode', 'add', 'seconds', 'rounds', 'lost', 're-issued', 'rescued', 'worst ms'],
  outcomes.filter(isBooted).flatMap((outcome) =>
    stressOn(outcome)
      .filter(({ step }) => !isContract(step))
      .map((run) => otherRow(outcome.transcript.kernel ?? outcome.series, run)),
  ),
)}

With \`--add 1\` the next write wakes a lost read: it is late instead of lost, unless the run is at its end. What Node
loses in mode raw is recorded here beside what the program in Rust loses; its threads are slower, and meet the race less
often.

## Tests that did not run

${notRun(outcomes)}
`
}

const SAFE_STEPS = ['stress safe', 'stress safe, with load']

function isContract(step: string): boolean {
  return [...SEARCH_STEPS, ...SAFE_STEPS].includes(step)
}

function contractRow(outcome: Outcome): Row {
  if (!isBooted(outcome)) return [outcome.series, `missing: ${outcome.why}`, ...Array<string>(10).fill('')]
  const runs = stressOn(outcome)
  const { passed, failed } = testsOn(outcome)
  const raw = runs.filter(({ step }) => SEARCH_STEPS.some((name) => name === step))
  const safe = runs.filter(({ step }) => SAFE_STEPS.includes(step))
  const sum = (of: (run: NamedRun) => number) => String(safe.reduce((total, run) => total + of(run), 0))
  const fallbacks = fallbacksOn(outcome)
  return [
    outcome.transcript.kernel ?? outcome.series,
    outcome.version,
    fallbacks === undefined ? 'unknown' : fallbacks.join(', ') || 'nothing',
    String(passed),
    String(failed),
    raw.map(({ rounds }) => rounds).join(' + '),
    lostText(raw),
    sum(({ rounds }) => rounds),
    sum(({ lost }) => lost),
    sum(({ reissued }) => reissued),
    sum(({ rescued }) => rescued),
    milliseconds(Math.max(0, ...safe.map((run) => run.longestMicroseconds))),
  ]
}

function otherRow(kernel: string, run: NamedRun): Row {
  return [
    kernel,
    run.step.startsWith('node') ? 'Node' : 'Rust',
    run.mode,
    String(run.add),
    run.seconds.toFixed(1),
    String(run.rounds),
    lostText([run]),
    String(run.reissued),
    String(run.rescued),
    milliseconds(run.longestMicroseconds),
  ]
}

/** How many, and by what their cancel answered. */
function lostText(runs: readonly NamedRun[]): string {
  const total = runs.reduce((sum, { lost }) => sum + lost, 0)
  const answers = new Map<string, number>()
  for (const { lostByAnswer } of runs) {
    for (const [answer, count] of Object.entries(lostByAnswer)) {
      answers.set(answer, (answers.get(answer) ?? 0) + count)
    }
  }
  if (total === 0) return '0'
  return `${total} (${[...answers].map(([answer, count]) => `${count} ${answerName(answer)}`).join(', ')})`
}

function answerName(answer: string): string {
  return /^E[A-Z]+$/.test(answer) ? `-${answer}` : answer
}

function milliseconds(microseconds: number): string {
  return (microseconds / 1000).toFixed(1)
}

function notRun(outcomes: readonly Outcome[]): string {
  const lines = outcomes
    .filter(isBooted)
    .flatMap((outcome) =>
      testsOn(outcome).notRun.map((test) => `- ${outcome.transcript.kernel ?? outcome.series}: ${test}`),
    )
  return lines.length === 0 ? 'None: every test of the suites ran on every kernel.' : lines.join('\n')
}

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

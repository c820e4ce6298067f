/** What the two stress programs, the one in Rust and the one in TypeScript, print with `--json`. */

/** One run of either, in the words of the table. */
export interface StressRun {
  mode: string
  add: number
  seconds: number
  rounds: number
  lost: number
  /** How many were lost, by what their cancel answered. */
  lostByAnswer: Record<string, number>
  reissued: number
  rescued: number
  longestMicroseconds: number
  problems: string[]
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function numberField(value: unknown, ...names: string[]): number {
  const found = names.map((name) => field(value, name)).find((candidate) => typeof candidate === 'number')
  if (typeof found !== 'number') throw new TypeError(`a stress result without ${names.join(' or ')}`)
  return found
}

/** The runs of a document; none if it is no such document. */
export function stressRuns(document: unknown): StressRun[] {
  const runs = field(document, 'runs')
  return Array.isArray(runs) ? runs.map(readRun) : []
}

function readRun(run: unknown): StressRun {
  const lost = field(run, 'lost')
  const problems = field(run, 'problems')
  if (!Array.isArray(problems)) throw new TypeError('a stress result without problems')
  const longest = field(run, 'cancelMicroseconds') ?? field(run, 'microseconds')
  // The program in Rust names every answer, the other one those that came.
  const answers = Object.entries(field(lost, 'byAnswer') ?? lost ?? {}).map(
    ([answer, count]) => [answer.replace(/^-/, ''), Number(count)] as const,
  )
  return {
    mode: String(field(run, 'mode')),
    add: numberField(run, 'add'),
    seconds: numberField(run, 'seconds'),
    rounds: numberField(run, 'rounds'),
    lost: numberField(lost, 'total', 'count'),
    lostByAnswer: Object.fromEntries(
      answers.filter(([answer, count]) => answer !== 'total' && answer !== 'count' && count > 0),
    ),
    reissued: numberField(run, 'reissued'),
    rescued: numberField(run, 'rescued'),
    longestMicroseconds: numberField(longest, 'max'),
    problems: problems.map(String),
  }
}

/** How many operations a document's runs lost. */
export function lostIn(document: unknown): number {
  return stressRuns(document).reduce((sum, { lost }) => sum + lost, 0)
}

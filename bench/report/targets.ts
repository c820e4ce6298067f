/** The table of the targets. */
import type { Verdict } from '../judge.js'
import type { WorkResult } from '../results.js'
import { digits, spread, table } from './format.js'

function verdictOf(isReached: boolean | undefined): string {
  if (isReached === undefined) return 'not measured'
  return isReached ? 'reached' : '**not reached**'
}

export function targetsSection(verdicts: readonly Verdict[], works: readonly WorkResult[]): string {
  const reached = verdicts.filter(({ isReached }) => isReached === true).length
  const measured = verdicts.filter(({ isReached }) => isReached !== undefined).length
  const rows = verdicts.map(({ target, figure, isReached }) => {
    const { work, concurrency, variant } = target.place
    const result = works.find((one) => one.work.id === work)
    const name = result?.variants.find(({ id }) => id === variant)?.name ?? variant
    const bound = `${target.bound} ${digits(target.value)}`
    return [target.title, name, String(concurrency), bound, spread(figure), verdictOf(isReached)]
  })
  const head = ['target', 'of', 'at', 'wanted', 'measured', '']
  return [
    '## Targets',
    `${reached} of ${verdicts.length} reached; ${measured - reached} not reached; ${verdicts.length - measured} not measured in this run.`,
    table(head, rows),
  ].join('\n\n')
}

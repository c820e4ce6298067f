/** The tables of the targets: a row for each kind of them, then one for each. */
import type { Verdict } from '../judge.js'
import type { WorkResult } from '../results.js'
import { digits, spread, table } from './format.js'

function verdictOf(isReached: boolean | undefined): string {
  if (isReached === undefined) return 'not measured'
  return isReached ? 'reached' : '**not reached**'
}

function wanted({ target }: Verdict): string {
  return `${target.bound} ${digits(target.value)}`
}

/** How far a figure is on the right side: 1 is just reached. */
function margin({ target, figure }: Verdict): number {
  if (figure === undefined) return Number.POSITIVE_INFINITY
  return target.bound === 'at least' ? figure.median / target.value : target.value / figure.median
}

function farthest(verdicts: readonly Verdict[]): Verdict | undefined {
  return verdicts.reduce<Verdict | undefined>(
    (least, one) => (least === undefined || margin(one) < margin(least) ? one : least),
    undefined,
  )
}

export function targetsSection(verdicts: readonly Verdict[], works: readonly WorkResult[]): string {
  const nameOf = ({ target: { place } }: Verdict) =>
    works.find((result) => result.work.id === place.work)?.variants.find(({ id }) => id === place.variant)
      ?.name ?? place.variant
  const reached = verdicts.filter(({ isReached }) => isReached === true).length
  const measured = verdicts.filter(({ isReached }) => isReached !== undefined).length
  return [
    '## Targets',
    `${reached} of ${verdicts.length} reached; ${measured - reached} not reached; ${verdicts.length - measured} not measured in this run.`,
    summary(verdicts, nameOf),
    'Each of them:',
    table(
      ['target', 'of', 'at', 'wanted', 'measured', ''],
      verdicts.map((verdict) => [
        verdict.target.title,
        nameOf(verdict),
        String(verdict.target.place.concurrency),
        wanted(verdict),
        spread(verdict.figure),
        verdictOf(verdict.isReached),
      ]),
    ),
  ].join('\n\n')
}

/** Targets of one title together: all of them are reached, or the row says which one is farthest from it. */
function summary(verdicts: readonly Verdict[], nameOf: (verdict: Verdict) => string): string {
  const titles = [...new Set(verdicts.map(({ target }) => target.title))]
  const rows = titles.map((title) => {
    const all = verdicts.filter(({ target }) => target.title === title)
    const measured = all.filter(({ isReached }) => isReached !== undefined)
    const reached = measured.filter(({ isReached }) => isReached === true)
    const least = farthest(measured)
    const isReached = measured.length < all.length ? undefined : reached.length === all.length
    const word = reached.length < measured.length ? verdictOf(false) : verdictOf(isReached)
    const closest =
      least === undefined
        ? ''
        : `${nameOf(least)} at ${least.target.place.concurrency}: ${digits(least.figure?.median ?? Number.NaN)}, wanted ${wanted(least)}`
    return [title, `${reached.length} of ${all.length}`, closest, word]
  })
  return table(['target', 'reached', 'the one that is farthest from it', ''], rows)
}

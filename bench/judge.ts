/** What became of the targets in a run. */
import { cpuTimes, findCell, medianOf, speeds, type WorkResult } from './results.js'
import { type Figure, ratio } from './statistics.js'
import type { Target } from './targets.js'

export interface Verdict {
  target: Target
  /** `undefined` where the run did not measure it. */
  figure: Figure | undefined
  isReached: boolean | undefined
}

export function judge(works: readonly WorkResult[], targets: readonly Target[]): Verdict[] {
  return targets.map((target) => {
    const figure = figureOf(works, target)
    return { target, figure, isReached: figure && isReached(figure, target) }
  })
}

function isReached({ median }: Figure, { bound, value }: Target): boolean {
  return bound === 'at least' ? median >= value : median <= value
}

/** The figure that a target is about. */
export function figureOf(works: readonly WorkResult[], { place, measured }: Target): Figure | undefined {
  const { work, concurrency, variant } = place
  const cell = (id: string, at = concurrency) => findCell(works, work, at, id)
  switch (measured.kind) {
    case 'speed':
      return ratio(speeds(cell(variant)), speeds(cell(measured.base)))
    case 'slowness':
      return ratio(speeds(cell(measured.base)), speeds(cell(variant)))
    case 'cpu':
      return ratio(cpuTimes(cell(variant)), cpuTimes(cell(measured.base)))
    case 'batch':
      return medianOf((cell(variant)?.loop ?? []).map(({ longestBatch }) => longestBatch / 1000))
    case 'scaling':
      return ratio(
        growth(speeds(cell(variant, 1)), speeds(cell(variant))),
        growth(speeds(cell(measured.base, 1)), speeds(cell(measured.base))),
      )
    default:
      return undefined
  }
}

/** How much faster `after` is than `before`, round by round. */
function growth(before: (number | undefined)[], after: (number | undefined)[]): (number | undefined)[] {
  return after.map((speed, round) => {
    const one = before[round]
    return speed === undefined || one === undefined ? undefined : speed / one
  })
}

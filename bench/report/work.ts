/** The part of the report about one work. */
import { cpuTimes, findCell, medianOf, speeds, type WorkResult } from '../results.js'
import { ratio } from '../statistics.js'
import { plain, rate, spread, table } from './format.js'

/** Rows are variants, columns concurrencies; rows without any figure are left out. */
function byConcurrency(
  { work, variants, cells }: WorkResult,
  figureOf: (variant: string, concurrency: number) => string,
): string {
  const rows = variants.map(({ id, name }) => [
    name,
    ...work.concurrency.map((concurrency) => {
      const cell = cells.find((one) => one.variant === id && one.concurrency === concurrency)
      if (cell === undefined) return ''
      if (cell.rounds.length === 0) return cell.failure ?? ''
      return figureOf(id, concurrency)
    }),
  ])
  return table([work.unit, ...work.concurrency.map(String)], rows)
}

/** Two digits behind the point are too few for times below a microsecond. */
const microseconds = (nanoseconds: number) => nanoseconds / 1000

function detailTable({ variants, cells }: WorkResult, concurrency: number): string[] {
  const rows = variants.flatMap(({ id, name }) => {
    const cell = cells.find((one) => one.variant === id && one.concurrency === concurrency)
    if (cell === undefined || cell.latencies.length === 0) return []
    const { latencies, loop, collections } = cell
    const latency = (key: 'p50' | 'p99' | 'p999') =>
      plain(medianOf(latencies.map((one) => microseconds(one[key]))))
    const delay = (key: 'medianBatch' | 'p99Batch' | 'longestBatch' | 'longestTurn' | 'longestTimerGap') =>
      plain(medianOf(loop.map((one) => microseconds(one[key]))))
    const collected = medianOf(
      collections.map((one) => (one.collections.nanoseconds / one.nanoseconds) * 100),
    )
    return [
      [
        name,
        latency('p50'),
        latency('p99'),
        latency('p999'),
        delay('medianBatch'),
        delay('p99Batch'),
        delay('longestBatch'),
        delay('longestTurn'),
        delay('longestTimerGap'),
        plain(collected),
      ],
    ]
  })
  const head = [
    `at ${concurrency}`,
    'p50, µs',
    'p99, µs',
    'p99.9, µs',
    'median batch, µs',
    'p99 batch, µs',
    'longest batch, µs',
    'longest turn, µs',
    'longest gap of a 1 ms timer, µs',
    'GC, % of the time',
  ]
  return rows.length === 0 ? [] : [table(head, rows)]
}

/** Variants that did a part of their rounds only: their figures are of fewer. */
function failures({ variants, cells }: WorkResult): string[] {
  const texts = cells.flatMap(({ variant, concurrency, rounds, failure }) => {
    if (failure === undefined || rounds.length === 0) return []
    const name = variants.find(({ id }) => id === variant)?.name ?? variant
    return [`${name} at ${concurrency}, after ${rounds.length} rounds: ${failure}`]
  })
  return texts.length === 0 ? [] : [`Failed: ${texts.join('; ')}.`]
}

/** The section, with the path of its plot if there is one. */
export function workSection(result: WorkResult, plot: string | undefined): string {
  const { work, variants, skipped } = result
  const cellAt = (variant: string, concurrency: number) => findCell([result], work.id, concurrency, variant)
  const against = (base: string) => (variant: string, concurrency: number) =>
    spread(ratio(speeds(cellAt(variant, concurrency)), speeds(cellAt(base, concurrency))))
  const peer = variants.find(({ id }) => id === work.peer)
  const hasFloor = variants.some(({ id }) => id === 'floor')
  const parts = [
    `## ${work.title}`,
    work.description,
    ...(plot === undefined ? [] : [`![${work.title}](${plot})`]),
    'Operations a second:',
    byConcurrency(result, (variant, concurrency) => rate(medianOf(speeds(cellAt(variant, concurrency))))),
    ...(hasFloor
      ? ['Of the floor, with the quartiles of the rounds:', byConcurrency(result, against('floor'))]
      : []),
    ...(peer === undefined ? [] : [`Times ${peer.name}:`, byConcurrency(result, against(peer.id))]),
    'Processor time of all threads, µs an operation:',
    byConcurrency(result, (variant, concurrency) => plain(medianOf(cpuTimes(cellAt(variant, concurrency))))),
    ...work.details.flatMap((concurrency) =>
      work.concurrency.includes(concurrency) ? detailTable(result, concurrency) : [],
    ),
    ...failures(result),
    ...(skipped.length === 0
      ? []
      : [`Left out: ${skipped.map(({ name, why }) => `${name} (${why})`).join('; ')}.`]),
  ]
  return parts.join('\n\n')
}

/** The parts of the report that are not about one work's speed: machine, hangs, memory, instructions. */
import type { Results } from '../results.js'
import { figure } from '../statistics.js'
import { digits, plain, spread, table } from './format.js'

const GIB = 2 ** 30

export function machineTable({ date, commit, machine, versions, options, seconds }: Results): string {
  const { processor, processors, memory, kernel, fileSystem } = machine
  const rows = [
    ['date', date],
    ['commit', commit],
    ['processor', `${processors} × ${processor}`],
    ['memory', `${digits(memory / GIB)} GiB`],
    ['kernel', `Linux ${kernel}`],
    ['file system', fileSystem],
    ...Object.entries(versions),
    ['rounds', `${options.rounds} of ${options.slice} ms each${options.quick ? ' (--quick)' : ''}`],
    ...(options.only.length > 0 ? [['only', options.only.join(', ')]] : []),
    ['run time', `${digits(seconds / 60)} minutes`],
  ]
  return table(['', ''], rows)
}

function waits(times: readonly (number | null)[], patience: number): string {
  if (times.includes(null)) return `**hangs** (none in ${patience} ms)`
  return spread(figure(times.flatMap((time) => (time === null ? [] : [time]))))
}

export function hangingSection({ patience, variants }: NonNullable<Results['hanging']>): string {
  const rows = variants.map(({ name, settle, stat, failure }) =>
    failure === undefined ? [name, waits(settle, patience), waits(stat, patience)] : [name, failure, ''],
  )
  return [
    '## Cancel latency while four FIFO reads hang',
    'Four reads of FIFOs to which nobody writes are begun; 50 ms later fs.stat is called, and when that has answered (or the wait for it was given up) the reads are cancelled.',
    table(['', 'from the cancel until all have settled, ms', 'until fs.stat answers, ms'], rows),
  ].join('\n\n')
}

export function memorySection({ operations, variants }: NonNullable<Results['memory']>): string {
  const rows = variants.map(({ name, heap, rss, failure }) => [
    name,
    failure ?? plain(figure(heap)),
    plain(figure(rss)),
  ])
  return [
    '## Memory of an operation in flight',
    `${operations} reads of 4 KiB of an empty FIFO, bytes for each of them, after garbage collections. The caller's buffers are not counted; RSS includes what allocators took in advance.`,
    table(['', 'JavaScript heap, bytes', 'RSS, bytes'], rows),
  ].join('\n\n')
}

export function instructionsSection({ valgrind, figures }: NonNullable<Results['instructions']>): string {
  return [
    '## Instructions of the native hot path',
    `User-space instructions of one operation, counted by callgrind (${valgrind}): the floor; the core from submission to completion, without Node; and all that runs below the binding's calls in Node (Node-API included, JavaScript not). It is the difference of two runs of which one has twice as many operations, on the real kernel.`,
    table(
      ['', 'instructions an operation'],
      figures.map(({ name, instructions }) => [name, digits(instructions)]),
    ),
  ].join('\n\n')
}

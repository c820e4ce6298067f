/** What the benchmark computes and writes, without measuring anything. */
import { closeSync, readSync } from 'node:fs'

import test from 'ava'

import { buildOf } from '../bench/against/build.js'
import { reportOf } from '../bench/against/report.js'
import { worksAgainst, worksOfLooks } from '../bench/against/rows.js'
import { parseCounts, perOperation } from '../bench/against/system-calls.js'
import { compare } from '../bench/against/verdict.js'
import { judge } from '../bench/judge.js'
import { parseOptions } from '../bench/options.js'
import { documentOf } from '../bench/report/document.js'
import { digits, rate, spread, table } from '../bench/report/format.js'
import { type Cell, cpuTimes, type Results, type WorkResult } from '../bench/results.js'
import { confidence, figure, quantile, ratio } from '../bench/statistics.js'
import { type Target, TARGETS } from '../bench/targets.js'
import { callbackLanes, expect, promiseLanes, syncLoop } from '../bench/variants/program.js'
import { Random } from '../bench/variants/random.js'
import { Fifo } from '../bench/variants/fifo.js'
import { Pieces } from '../bench/variants/read.js'
import { Recorder } from '../bench/variants/recorder.js'
import { allWorks } from '../bench/works/all.js'
import { upTo } from '../bench/works/workers.js'

const WORKS = allWorks({
  random: '/random',
  sequential: '/sequential',
  sequentialBytes: 1 << 30,
  written: '/written',
  fileSystem: 'ext4',
  processors: 4,
})

/** A cell whose rounds each did `operations` in a millisecond. */
function cellOf(concurrency: number, variant: string, operations: number[], more: Partial<Cell> = {}): Cell {
  const rounds = operations.map((count) => ({
    operations: count,
    nanoseconds: 1e6,
    cpu: { user: 600, system: 400 },
  }))
  return { concurrency, variant, rounds, latencies: [], collections: [], loop: [], ...more }
}

function resultOf(id: string, concurrency: number[], cells: Cell[]): WorkResult {
  const found = WORKS.find((work) => work.id === id)
  if (found === undefined) throw new Error(`no work ${id}`)
  const { variants, ...work } = found
  return {
    work: { ...work, concurrency },
    variants: variants.map(({ id: name }) => ({ id: name, name })),
    cells,
    skipped: [],
  }
}

/** A variant beside a floor that does a hundred operations. */
function besideFloor(concurrency: number, speed: number): Cell[] {
  return [cellOf(concurrency, 'floor', [100]), cellOf(concurrency, 'ring', [speed])]
}

/** The report's row about nops of the floor. */
function rowOf(atOne: number, at128: number): string | undefined {
  const nop = resultOf('nop', [1, 128], [...besideFloor(1, atOne), ...besideFloor(128, at128)])
  const text = documentOf(resultsOf([nop]), '', new Map())
  return text.split('\n').find((line) => line.startsWith('| nop, of the floor |'))
}

function targetOf(changes: Partial<Target>): Target {
  return {
    title: 'a target',
    place: { work: 'nop', concurrency: 1, variant: 'ring' },
    measured: { kind: 'speed', base: 'floor' },
    bound: 'at least',
    value: 0.5,
    ...changes,
  }
}

function resultsOf(works: WorkResult[], more: Partial<Results> = {}): Results {
  return {
    date: '2026-01-01T00:00:00.000Z',
    commit: '0123456789ab',
    machine: { processor: 'a processor', processors: 2, memory: 2 ** 33, kernel: '6.18', fileSystem: 'ext4' },
    versions: { node: '20' },
    options: { rounds: 3, slice: 1, quick: false, only: [] },
    seconds: 60,
    works,
    skipped: [],
    ...more,
  }
}

test('a quantile lies between its neighbours', (t) => {
  t.is(quantile([1, 2, 3, 4], 0.5), 2.5)
  t.is(quantile([1, 2, 3, 4], 0), 1)
  t.is(quantile([1, 2, 3, 4], 1), 4)
  t.is(quantile([7], 0.99), 7)
  t.is(quantile([], 0.5), Number.NaN)
})

test('a figure is the median and the quartiles, whatever the order', (t) => {
  t.deepEqual(figure([5, 1, 4, 2, 3]), { median: 3, low: 2, high: 4, rounds: 5 })
  t.deepEqual(figure([10, 9]), { median: 9.5, low: 9.25, high: 9.75, rounds: 2 })
  t.is(figure([]), undefined)
  t.is(figure([Number.NaN, Number.POSITIVE_INFINITY]), undefined)
})

test('a ratio is taken round by round: a machine that slows down for both changes nothing', (t) => {
  t.is(ratio([10, 5, 1], [20, 10, 2])?.median, 0.5)
  // The ratio of the medians would be 5 / 10.
  t.is(ratio([1, 5, 9], [10, 5, 18])?.median, 0.5)
  t.is(ratio([1, 5, 20], [10, 5, 1])?.median, 1)
  t.deepEqual(ratio([1, undefined, 3], [2, 2]), { median: 0.5, low: 0.5, high: 0.5, rounds: 1 })
  t.is(ratio([1], [0]), undefined)
})

test('a target is reached by its figure alone, and unknown without one', (t) => {
  const works = [resultOf('nop', [1], [cellOf(1, 'floor', [100, 200]), cellOf(1, 'ring', [60, 80])])]
  const outcome = (changes: Partial<Target>) => judge(works, [targetOf(changes)])[0]
  t.is(outcome({})?.figure?.median, 0.5)
  t.true(outcome({})?.isReached)
  t.false(outcome({ value: 0.51 })?.isReached)
  t.true(outcome({ bound: 'at most' })?.isReached)
  t.false(outcome({ bound: 'at most', value: 0.49 })?.isReached)
  const slowness = outcome({ measured: { kind: 'slowness', base: 'floor' }, bound: 'at most', value: 2 })
  t.is(slowness?.figure?.median, (100 / 60 + 200 / 80) / 2)
  for (const place of [
    { work: 'read', concurrency: 1, variant: 'core' },
    { work: 'nop', concurrency: 8, variant: 'ring' },
    { work: 'nop', concurrency: 1, variant: 'naive' },
  ]) {
    t.deepEqual(outcome({ place }), { target: targetOf({ place }), figure: undefined, isReached: undefined })
  }
})

test('processor time, the longest batch and the growth with workers are figures too', (t) => {
  const loop = [100_000, 300_000, 200_000].map((longestBatch) => ({
    medianBatch: 0,
    p99Batch: 0,
    longestBatch,
    longestTurn: 0,
    longestTimerGap: 0,
    timers: 1,
  }))
  const works = [
    resultOf('read', [32], [cellOf(32, 'core', [10, 10], { loop }), cellOf(32, 'callback', [4, 5])]),
    resultOf(
      'workers',
      [1, 2],
      [
        cellOf(1, 'floor', [10, 10]),
        cellOf(2, 'floor', [20, 16]),
        cellOf(1, 'core', [5, 5]),
        cellOf(2, 'core', [9, 8]),
      ],
    ),
  ]
  const place = { work: 'read', concurrency: 32, variant: 'core' }
  const [cpu, batch, scaling] = judge(works, [
    targetOf({ place, measured: { kind: 'cpu', base: 'callback' } }),
    targetOf({ place, measured: { kind: 'batch' } }),
    targetOf({
      place: { work: 'workers', concurrency: 2, variant: 'core' },
      measured: { kind: 'scaling', base: 'floor' },
    }),
  ])
  t.deepEqual(cpuTimes(cellOf(1, 'any', [10])), [100])
  t.is(cpu?.figure?.median, (100 / 250 + 100 / 200) / 2)
  t.is(batch?.figure?.median, 200)
  t.is(scaling?.figure?.median, (9 / 5 / 2 + 1) / 2)
})

test('every target is about variants that are measured there', (t) => {
  for (const { title, place, measured } of TARGETS) {
    const work = WORKS.find(({ id }) => id === place.work)
    t.true(work?.concurrency.includes(place.concurrency), `${title}: ${place.work} at ${place.concurrency}`)
    const needed = 'base' in measured ? [place.variant, measured.base] : [place.variant]
    for (const id of needed) {
      const variant = work?.variants.find((one) => one.id === id)
      const at = variant?.concurrency ?? work?.concurrency
      t.true(variant !== undefined && at?.includes(place.concurrency), `${title}: ${place.work}, ${id}`)
    }
    if (measured.kind === 'batch')
      t.true(work?.details.includes(place.concurrency), `${title}: ${place.work}`)
  }
})

test('the ids of works and of their variants are unique, and peers and details exist', (t) => {
  t.is(new Set(WORKS.map(({ id }) => id)).size, WORKS.length)
  for (const { id, variants, peer, details, concurrency } of WORKS) {
    t.is(new Set(variants.map((variant) => variant.id)).size, variants.length, id)
    t.true(
      variants.some((variant) => variant.id === peer),
      `${id}: ${peer}`,
    )
    t.true(
      details.every((one) => concurrency.includes(one)),
      id,
    )
    t.is(variants[0]?.id, 'floor', id)
  }
})

test('figures are written with the digits that count', (t) => {
  t.deepEqual([0.4044, 12.34, 1234.5].map(digits), ['0.40', '12.3', '1,235'])
  t.deepEqual(
    [950, 64_200, 2_340_000].map((value) => rate(figure([value]))),
    ['950', '64.2 k', '2.34 M'],
  )
  t.is(spread(figure([1, 2, 3])), '2.00 (1.50–2.50)')
  t.is(spread(undefined), '–')
  t.is(table(['', 'a|b'], [['x', '1']]), '|  | a\\|b |\n|---|--:|\n| x | 1 |')
})

test('the report holds the run, its failures and what was left out, and the notes as they are', (t) => {
  const cells = [
    cellOf(1, 'floor', [100, 100, 100]),
    cellOf(1, 'ring', [40, 42, 44]),
    cellOf(1, 'pending', [], { failure: 'hangs (no answer for 3 s)' }),
    cellOf(1, 'settled', [50], { failure: 'ended with SIGSEGV' }),
  ]
  const nop = { ...resultOf('nop', [1], cells), skipped: [{ name: 'Bun: ring.nop', why: 'it is not there' }] }
  const hanging = {
    patience: 1000,
    variants: [
      { name: 'ours', settle: [0.1, 0.2], stat: [0.1, 0.1] },
      { name: 'fs', settle: [null], stat: [null] },
    ],
  }
  const results = resultsOf([nop], { hanging, skipped: [{ name: 'instructions', why: 'no valgrind' }] })
  const notes = '## What made the difference\n\n`x | y` stays as *it* is.\n'
  const text = documentOf(results, notes, new Map([['nop', 'performance/nop.svg']]))
  for (const part of [
    notes.trim(),
    '![nop](performance/nop.svg)',
    '| ring | 42.0 k |',
    '| ring | 0.42 (0.41–0.43) |',
    '| pending | hangs (no answer for 3 s) |',
    'Bun: ring.nop (it is not there)',
    'Failed: settled at 1, after 1 rounds: ended with SIGSEGV.',
    '| fs | **hangs** (none in 1000 ms) | **hangs** (none in 1000 ms) |',
    '| ours | 0.15 (0.13–0.18) | 0.10 (0.10–0.10) |',
    '- instructions: no valgrind',
    '| nop, of the floor | ring | 1 | at least 0.40 | 0.42 (0.41–0.43) | reached |',
    '| not measured |',
    '| nop, of the floor | 1 of 2 | ring at 1: 0.42, wanted at least 0.40 | not measured |',
  ]) {
    t.true(text.includes(part), `${part}\n\n${text}`)
  }
  t.false(text.includes('NaN') || text.includes('undefined'), text)
})

test('targets of one title are reached together: the farthest from it is named', (t) => {
  t.is(rowOf(80, 33), '| nop, of the floor | 2 of 2 | ring at 128: 0.33, wanted at least 0.32 | reached |')
  t.is(
    rowOf(30, 33),
    '| nop, of the floor | 1 of 2 | ring at 1: 0.30, wanted at least 0.40 | **not reached** |',
  )
})

test('options: a full run publishes, any other only if it is told to', (t) => {
  t.like(parseOptions([]), { rounds: 9, slice: 100, quick: false, publish: true })
  t.like(parseOptions(['--quick']), { quick: true, publish: false })
  t.like(parseOptions(['--only', 'nop,read']), { only: ['nop', 'read'], publish: false })
  t.like(parseOptions(['--quick', '--rounds', '3', '--publish']), { rounds: 3, publish: true })
  t.is(parseOptions(['--help']), 'help')
  t.is(parseOptions(['--list']), 'list')
  t.throws(() => parseOptions(['--rounds', '0']), { message: /--rounds must be an integer >= 1/ })
  t.throws(() => parseOptions(['--fast']), { message: /--fast/ })
})

test('options: another commit, and the rows in which it is compared', (t) => {
  t.like(parseOptions(['--against', 'HEAD~5']), {
    against: 'HEAD~5',
    rounds: 31,
    slice: 50,
    only: [],
    publish: false,
  })
  t.like(parseOptions(['--against', 'v1', '--quick', 'nop', 'pipe']), { rounds: 9, only: ['nop', 'pipe'] })
  t.like(parseOptions(['--against', 'v1', '--only', 'read', '--rounds', '41']), {
    rounds: 41,
    only: ['read'],
  })
  t.is((parseOptions([]) as { against?: string }).against, undefined)
  t.throws(() => parseOptions(['nop']), { message: /nop is no option: .*--against COMMIT/ })
  t.like(parseOptions(['--against', 'v1', '--publish']), { against: 'v1', publish: true })
})

test('the median lies between two of the values, whatever their distribution', (t) => {
  const values = Array.from({ length: 31 }, (_, index) => index)
  t.deepEqual(confidence(values), { low: 9, high: 21 })
  t.deepEqual(confidence(values.map((value) => 30 - value)), { low: 9, high: 21 })
  t.deepEqual(confidence([3, 1, 2]), { low: 1, high: 3 })
  t.deepEqual(confidence([1, Number.NaN]), { low: 1, high: 1 })
  t.is(confidence([]), undefined)
  // Of many runs whose true median is 0.5, the bounds hold it in 95 of 100 (by the ranks: 97).
  const random = new Random(1)
  let held = 0
  for (let run = 0; run < 2000; run += 1) {
    const bounds = confidence(values.map(() => random.below(1 << 20) / (1 << 20)))
    if (bounds !== undefined && bounds.low <= 0.5 && bounds.high >= 0.5) held += 1
  }
  t.true(held > 1900 && held < 2000, `${held} of 2000`)
})

test('two builds: a difference is one only beyond what a build differs from itself', (t) => {
  const base = Array.from({ length: 31 }, () => 100)
  /** Times of rounds that differ from the base's by these percents, in turn. */
  const times = (...percents: number[]) =>
    base.map((time, round) => time * (1 + (percents[round % percents.length] ?? 0) / 100))
  const verdict = (here: number[], again: number[]) => compare(here, base, again)?.verdict
  t.deepEqual(verdict(times(0), times(0)), { kind: 'same', text: 'within 0.0 %' })
  t.deepEqual(verdict(times(-1, 0, 1), times(-1, 0, 1)), { kind: 'same', text: 'within 1.0 %' })
  t.deepEqual(verdict(times(2), times(0)), { kind: 'slower', text: '2.0 % slower (within 2.0 %; A/A 0.0 %)' })
  t.deepEqual(verdict(times(-2), times(1)), {
    kind: 'faster',
    text: '2.0 % faster (within 2.0 %; A/A 1.0 %)',
  })
  t.deepEqual(verdict(times(2), times(3)), { kind: 'same', text: 'within 2.0 %' }, 'as noisy as itself')
  t.is(compare(times(2), base, times(2))?.noise.median, 1.02)
  t.is(compare([], base, base), undefined)
  // A round that the machine slowed down for all changes nothing.
  const slow = base.map((time, round) => (round % 2 === 0 ? time * 3 : time))
  t.is(compare(slow, slow, slow)?.ratio.high, 1)
})

test('system calls: what two runs of strace differ by, for each operation', (t) => {
  const shorter = parseCounts(`% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 88.03    0.010000           3      3200           io_uring_enter
  8.00    0.001000           1       110         7 epoll_wait
  0.01    0.000001           1         9           mmap
------ ----------- ----------- --------- --------- ----------------
100.00    0.011001           3      3319         7 total
`)
  t.deepEqual(
    [...shorter],
    [
      ['io_uring_enter', 3200],
      ['epoll_wait', 110],
      ['mmap', 9],
    ],
  )
  const longer = new Map([
    ['mmap', 12],
    ['io_uring_enter', 6400],
    ['epoll_wait', 210],
    ['write', 1600],
  ])
  t.deepEqual(Object.entries(perOperation(shorter, longer, 3200)), [
    ['io_uring_enter', 1],
    ['write', 0.5],
    ['epoll_wait', 0.031_25],
  ])
})

test('the report of two builds has a row for each place, with A/A, and what was left out', (t) => {
  const [nop] = worksAgainst('/random', { base: '/base/index.js', here: '/here/index.js' })
  if (nop === undefined) throw new Error('no row')
  t.deepEqual(
    nop.variants.map(({ id, settings }) => [id, settings.library]),
    [
      ['base', '/base/index.js'],
      ['base-again', '/base/index.js'],
      ['this', '/here/index.js'],
    ],
  )
  const { variants, ...work } = nop
  const cells = [
    cellOf(1, 'base', [1000, 1000, 1000]),
    cellOf(1, 'base-again', [1000, 1000, 1000]),
    cellOf(1, 'this', [800, 800, 800]),
    cellOf(32, 'base', [], { failure: 'ended with SIGSEGV' }),
  ]
  const [pipes] = worksOfLooks()
  if (pipes === undefined) throw new Error('no row')
  const { variants: asked, ...looks } = pipes
  t.deepEqual(
    asked.map(({ id, settings }) => [id, settings.opened]),
    [
      ['base', true],
      ['base-again', true],
      ['this', undefined],
    ],
  )
  const known = [1, 32].flatMap((at) => [
    cellOf(at, 'base', [1000, 1000, 1000]),
    cellOf(at, 'base-again', [1000, 1000, 1000]),
    cellOf(at, 'this', [900, 900, 900]),
  ])
  const text = reportOf({
    base: '0123456789ab',
    here: 'ba9876543210, with changes',
    machine: 'a processor',
    rounds: 3,
    works: [{ work: { ...work, concurrency: [1, 32] }, variants: [...variants], cells, skipped: [] }],
    looks: [{ work: { ...looks, concurrency: [1, 32] }, variants: [...asked], cells: known, skipped: [] }],
    instructions: [{ name: 'nop: the core', base: 1000, here: 1100 }],
    systemCalls: [
      { name: 'nop, 1 in flight', base: { io_uring_enter: 1 }, here: { io_uring_enter: 1, statx: 0.5 } },
    ],
    skipped: [{ name: 'read: the core', why: 'it does not build' }],
  })
  for (const part of [
    '| nop | 1 | 1,000 | 1,250 | 1.250 (1.250–1.250) | 1.000 (1.000–1.000) | 25.0 % slower (within 25.0 %; A/A 0.0 %) |',
    '| nop | 32 | – | – | – | – | not measured |',
    '## Processor time of an operation',
    '| row | in flight | not asked, ns | asked, ns |',
    '| 1-byte reads of one pipe, bytes there | 1 | 1,000 | 1,111 | 1.111 (1.111–1.111) | 1.000 (1.000–1.000) | 11.2 % slower (within 11.2 %; A/A 0.0 %) |',
    '| nop: the core | 1000 | 1100 | +10.0 % |',
    '| nop, 1 in flight | io_uring_enter 1.00 | io_uring_enter 1.00, statx 0.50 |',
    '- nop, 32 in flight, base: ended with SIGSEGV',
    '- read: the core: it does not build',
  ]) {
    t.true(text.includes(part), `${part}\n\n${text}`)
  }
  t.false(text.includes('NaN') || text.includes('undefined'), text)
})

test('rows against another build have ids of their own, and no commit of theirs is guessed', async (t) => {
  const works = worksAgainst('/random', { base: '', here: '' })
  t.deepEqual(
    works.map(({ id }) => id),
    ['nop', 'pipe', 'pipe-waits', 'read', 'current'],
  )
  for (const { concurrency } of works) t.deepEqual([...concurrency], [1, 32])
  const message = /^--against no-such-commit: git knows no such commit/
  await t.throwsAsync(
    buildOf('no-such-commit', () => t.fail('nothing is built')),
    { message },
  )
})

test('the bytes of the pipe are there, in their order, and their sum is that of what was written', (t) => {
  const fifo = new Fifo()
  t.teardown(() => closeSync(fifo.fd))
  const buffer = Buffer.alloc(1)
  // More than it writes at once.
  for (let count = 0; count < 70_000; count += 1) {
    const byte = fifo.take()
    if (readSync(fifo.fd, buffer) !== 1 || buffer[0] !== byte) t.fail(`${buffer[0]} instead of ${byte}`)
  }
  const other = new Fifo()
  t.teardown(() => closeSync(other.fd))
  t.is(other.write(4), 6)
  t.deepEqual([readSync(other.fd, buffer), buffer[0], readSync(other.fd, buffer), buffer[0]], [1, 0, 1, 1])
})

test('workers are measured at powers of two and at the number of processors', (t) => {
  t.deepEqual([1, 2, 6, 8].map(upTo), [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]])
})

test('offsets are those of the floor', (t) => {
  // The same numbers are in the floor's own test.
  const random = new Random(1)
  t.deepEqual(
    Array.from({ length: 5 }, () => random.below(65_536)),
    [8225, 1537, 43_205, 39_247, 6097],
  )
})

const right = () => {}
const wrong = () => expect('a count', 1, 2)
const failing = (_lane: number, callback: (error: Error | null, result: number) => void) =>
  callback(new Error('EIO'), 0)

test('lanes do as many operations as asked, as many at a time as asked, and no wrong result passes', async (t) => {
  let [begun, inFlight, most] = [0, 0, 0]
  const operation = async () => {
    begun += 1
    inFlight += 1
    most = Math.max(most, inFlight)
    await new Promise((resolve) => setImmediate(resolve))
    inFlight -= 1
    return begun
  }
  t.true((await promiseLanes(operation, right)(4, 10, undefined)) > 0)
  t.deepEqual([begun, most], [10, 4])
  const begin = (_lane: number, callback: (error: Error | null, result: number) => void) => {
    begun += 1
    setImmediate(callback, null, 1)
  }
  begun = 0
  const recorder = new Recorder(4, 10)
  await callbackLanes(begin, right)(4, 10, recorder)
  t.is(begun, 10)
  t.true(recorder.latencies().p50 > 0)
  const message = 'a count: 1 instead of 2'
  await t.throwsAsync(promiseLanes(operation, wrong)(4, 10, undefined), { message })
  await t.throwsAsync(callbackLanes(begin, wrong)(4, 10, undefined), { message })
  await t.throwsAsync(syncLoop(() => 1, wrong)(1, 10, undefined), { message })
  await t.throwsAsync(callbackLanes(failing, right)(1, 1, undefined), { message: 'EIO' })
})

test('a short read, or one of another block, does not pass', (t) => {
  const pieces = new Pieces(65_536 * 4096, { work: 'read' }, 1)
  const buffer = Buffer.alloc(4096)
  t.throws(() => pieces.check(0, 4095, buffer), { message: 'bytes read: 4095 instead of 4096' })
  const readAll = (change: number) => {
    for (let count = 0; count < 64; count += 1) {
      buffer.writeUInt32LE(pieces.position(0) / 4096 + change)
      pieces.check(0, 4096, buffer)
    }
  }
  t.notThrows(() => readAll(0))
  t.throws(() => readAll(1), { message: /^the block that was read: \d+ instead of \d+$/ })
})

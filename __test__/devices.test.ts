/** What `npm run test:devices` makes of what it reads. (That devices do what its rows say, only it shows itself.) */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import test from 'ava'

import { Arrivals, PATTERN } from '../scripts/devices/arrivals.js'
import { Channel } from '../scripts/devices/channels.js'
import { CHANNELS, CONTROL, machineArguments, MONITOR } from '../scripts/devices/machine.js'
import { Sleeps } from '../scripts/devices/guest/sleeps.js'
import { isLate, LATE, MODULES } from '../scripts/devices/modules.js'
import { parseOptions } from '../scripts/devices/options.js'
import { planFor, stepName } from '../scripts/devices/plan.js'
import { formatReport } from '../scripts/devices/report.js'
import { Rescue } from '../scripts/devices/rescue.js'
import {
  type Device,
  LONGEST_SLEEP,
  type Observed,
  type Pass,
  type Row,
  type RowResult,
} from '../scripts/devices/row.js'
import { DEVICES } from '../scripts/devices/rows/index.js'
import { arrival, WHOLE } from '../scripts/devices/rows/peer.js'
import { hasWrongClock, judge, judgeRows, type OnKernel, problemsOf } from '../scripts/devices/verdict.js'
import type { StepResult } from '../scripts/kernels/job.js'
import { UsageError } from '../scripts/kernels/options.js'
import { candidates } from '../scripts/kernels/package-names.js'
import { PROBE } from '../scripts/kernels/plan.js'
import { directoryFor } from './helpers.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const ROW: Row = {
  name: 'an idle read',
  run: () => Promise.resolve({}),
  right: { cancelled: 'TimeoutError', read: '"hello"' },
}
const OTHER: Row = { name: 'a write', fault: 'A1', run: () => Promise.resolve({}) }
const DEVICE: Device = { name: 'line', what: 'a line', rows: [ROW, OTHER] }

function passOf(observed: Observed, gap = 12, asleep = gap): Pass {
  return { observed, milliseconds: 100, gap, asleep, runs: 1 }
}

function rowResult(
  row: Row,
  ring: Observed,
  more: { gap?: number; asleep?: number; fsGap?: number; plain?: Observed } = {},
): RowResult {
  const { gap = 12, asleep = gap, fsGap = 12, plain = { read: '"hello"' } } = more
  return {
    row: row.name,
    ways: { plain: passOf(plain), fs: passOf(plain, fsGap), ring: passOf(ring, gap, asleep) },
  }
}

const GOOD: Observed = { cancelled: 'TimeoutError', read: '"hello"' }

test('a row holds where the ring sees what the plain calls see, and what is right', (t) => {
  t.deepEqual(problemsOf(ROW, rowResult(ROW, GOOD)), [])
})

test('a row fails where the ring sees something else than the plain calls, unless the row says why', (t) => {
  const result = rowResult(OTHER, { read: 'EIO' })
  t.deepEqual(problemsOf(OTHER, result), ['read: EIO, and plain: "hello"'])
  t.deepEqual(problemsOf({ ...OTHER, differs: { read: 'on purpose' } }, result), [])
})

test('a row fails where the ring sees what is not right, or does not see it', (t) => {
  t.deepEqual(problemsOf(ROW, rowResult(ROW, { ...GOOD, cancelled: 'AbortError' })), [
    'cancelled: AbortError, not TimeoutError',
  ])
  t.deepEqual(problemsOf(ROW, rowResult(ROW, { read: '"hello"' })), ['cancelled: not seen'])
  // A pattern is of the whole value.
  t.is(problemsOf(ROW, rowResult(ROW, { ...GOOD, cancelled: 'TimeoutError, late' })).length, 1)
})

test('a gap of the event loop fails, unless the loop had as long a one beside the others, or the row says why', (t) => {
  const held = rowResult(ROW, GOOD, { gap: 2338 })
  t.deepEqual(problemsOf(ROW, held), [
    'the event loop was held for 2338 ms, 2338 ms in one call (beside the others: 12 ms)',
  ])
  t.deepEqual(problemsOf(ROW, rowResult(ROW, GOOD, { gap: 50 })), [])
  t.is(problemsOf(ROW, rowResult(ROW, GOOD, { gap: 51 })).length, 1)
  t.deepEqual(problemsOf(ROW, rowResult(ROW, GOOD, { gap: 80, fsGap: 90 })), [], 'the machine was busy')
  t.deepEqual(problemsOf(ROW, rowResult(ROW, GOOD, { gap: 99, asleep: 0 })), [], 'no call held it')
  t.is(problemsOf(ROW, rowResult(ROW, GOOD, { gap: 99, asleep: 60 })).length, 1)
  t.is(problemsOf(ROW, rowResult(ROW, GOOD, { gap: 300, asleep: 0 })).length, 1, 'no host is as busy as that')
  t.deepEqual(problemsOf({ ...ROW, heldBecause: 'of that' }, held), [])
})

test('a thread beside it sees for how long the loop sleeps in one call, and not that it runs', (t) => {
  const fifo = join(directoryFor(t), 'fifo')
  execFileSync('mkfifo', [fifo])
  const sleeps = new Sleeps()
  let asleep = 0
  // The other thread may not have begun to look at the first.
  for (let attempt = 0; attempt < 20 && asleep < LONGEST_SLEEP; attempt += 1) {
    const writer = spawn('/bin/sh', ['-c', 'sleep 0.3; echo >"$0"', fifo])
    sleeps.begin()
    readFileSync(fifo)
    asleep = sleeps.end()
    writer.unref()
  }
  t.true(asleep >= LONGEST_SLEEP, `${asleep} ms`)

  // A collection of garbage sleeps until its helpers have run, which a busy machine may put off.
  for (let attempt = 0; attempt < 20 && asleep >= LONGEST_SLEEP; attempt += 1) {
    sleeps.begin()
    for (const start = performance.now(); performance.now() - start < 100;);
    asleep = sleeps.end()
  }
  t.true(asleep < LONGEST_SLEEP, `${asleep} ms`)
})

test('a row whose comparison failed proves nothing, and fails', (t) => {
  const result = rowResult(ROW, GOOD, { plain: { error: 'in vain for /dev/ttyUSB0' } })
  t.deepEqual(problemsOf(ROW, result), ['plain: in vain for /dev/ttyUSB0', 'fs: in vain for /dev/ttyUSB0'])
  t.deepEqual(problemsOf(ROW, { row: ROW.name, ways: { ring: passOf(GOOD) } }), [
    'plain did not run',
    'fs did not run',
  ])
})

test('a row that asks the ring alone is judged by what is right', (t) => {
  const alone: Row = { ...ROW, ways: ['ring'] }
  t.deepEqual(problemsOf(alone, { row: ROW.name, ways: { ring: passOf(GOOD) } }), [])
  t.is(problemsOf(alone, { row: ROW.name, ways: { ring: passOf({ ...GOOD, read: 'EIO' }) } }).length, 1)
})

function step(name: string, more: Partial<StepResult> = {}): StepResult {
  return { name, status: 0, signal: null, timedOut: false, seconds: 1, ...more }
}

function booted(lines: unknown[], more: Partial<StepResult> = {}): OnKernel {
  const plan = { ...planFor('6.12', /^line/, [DEVICE]), absent: [{ device: 'gpio', why: 'not built' }] }
  const results = [
    step(PROBE, { json: { supported: true } }),
    step(stepName(DEVICE.name), { json: lines, ...more }),
  ]
  return {
    series: '6.12',
    version: '6.12.118-1',
    plan,
    planned: plan.steps.map(({ name }) => name),
    timedOut: false,
    seconds: 60,
    transcript: {
      kernel: '6.12.118+deb13-amd64',
      node: 'v20.20.2',
      processor: 'QEMU',
      processors: 2,
      results,
      isWhole: true,
      isEmulatorsFault: false,
      tail: '',
    },
  }
}

const SOUND = [rowResult(ROW, GOOD), rowResult(OTHER, { read: '"hello"' })]

test('verdict: rows, the probe and the boot count', (t) => {
  t.deepEqual(judge([booted(SOUND)]), { passed: 2 + 1 + 1, failed: 0, failures: [] })
})

test('verdict: a row that never ended fails, with how its program did', (t) => {
  const { failed, failures } = judge([
    booted(SOUND.slice(0, 1), { timedOut: true, signal: 'SIGKILL', status: null }),
  ])
  t.is(failed, 2)
  t.is(failures[0], '6.12: line: a write: never ended: the program was killed after 1 s')
  t.regex(failures[1] ?? '', /^6\.12: device line ended with SIGKILL/)
})

test('verdict: a program that ends with an error fails, also if it ran all of its rows', (t) => {
  const { failed, failures } = judge([booted(SOUND, { status: 1, tail: 'Error: no' })])
  t.is(failed, 1)
  t.deepEqual(failures, ['6.12: device line ended with 1\nError: no'])
})

test('verdict: lines that are no rows are none', (t) => {
  const rows = judgeRows(booted([null, 7, { row: 'an idle read' }, { ways: {} }]))
  t.deepEqual(
    rows.map(({ result }) => result),
    [undefined, undefined],
  )
})

test('a guest whose clock ran faster than its host can have is known by it', (t) => {
  t.false(hasWrongClock(booted(SOUND, { seconds: 40 })))
  t.true(hasWrongClock(booted(SOUND, { seconds: 984 })))
})

test('verdict: without a kernel nothing was shown', (t) => {
  t.deepEqual(judge([{ series: '6.12', why: 'gone' }]).failures, [
    'no kernel was booted, so that nothing was shown',
  ])
})

test('plan: rows are picked by device and name, and a device that a kernel lacks is named', (t) => {
  const all = planFor('6.12', /^/)
  t.true(all.rows.length > 50)
  t.deepEqual(
    all.absent.map(({ device }) => device),
    ['gpio'],
  )
  t.true(planFor('7', /^/).rows.some(({ device }) => device.name === 'gpio'))
  const some = planFor('6.12', /^uart: an idle/)
  t.deepEqual(
    some.steps.map(({ name }) => name),
    [PROBE, 'device uart'],
  )
  t.deepEqual(some.steps[1]?.args, [
    'scripts/devices/guest/run.js',
    'uart',
    'an idle read, its cancel, and the bytes that come then',
  ])
  const names = new Set(all.steps.map(({ name }) => name))
  t.true(names.has('ava contract') && names.has('node stress safe'))
})

test('plan: every name is there once, and every pattern of a right value is one', (t) => {
  const titles = DEVICES.flatMap((device) => device.rows.map((row) => `${device.name}: ${row.name}`))
  t.is(new Set(titles).size, titles.length)
  for (const row of DEVICES.flatMap(({ rows }) => rows)) {
    for (const pattern of Object.values(row.right ?? {})) t.notThrows(() => new RegExp(pattern), row.name)
    t.true((row.ways ?? ['ring']).includes('ring'), row.name)
  }
})

test('plan: the faults of issue 10 that devices show all have rows', (t) => {
  const faults = new Set(DEVICES.flatMap(({ rows }) => rows.map(({ fault }) => fault)))
  for (const fault of ['A1', 'A7', 'F1', 'F2', 'F3', 'F4', 'F5', 'F6']) t.true(faults.has(fault), fault)
})

test('modules: what rows load themselves is not loaded before', (t) => {
  for (const module of Object.values(LATE).flat()) t.true(MODULES.includes(module) && isLate(module))
  t.false(isLate('evdev'))
  t.is(new Set(MODULES).size, MODULES.length)
})

test('the kernels for all machines are told from those of one flavour', (t) => {
  const packages = [
    ['linux-image-6.12.118+deb13-cloud-amd64', '6.12.118-1'],
    ['linux-image-6.12.118+deb13-rt-amd64', '6.12.118-1'],
    ['linux-image-6.12.118+deb13-amd64', '6.12.118-1'],
    ['linux-image-6.12.117+deb13-amd64', '6.12.117-1'],
    ['linux-image-6.12.118+deb13-amd64-dbg', '6.12.118-1'],
  ].map(([name = '', version = '']) => ({ name, version }))
  t.deepEqual(
    candidates(packages, '6.12', 'amd64').map(({ name }) => name),
    ['linux-image-6.12.118+deb13-amd64', 'linux-image-6.12.117+deb13-amd64'],
  )
  const old = [{ name: 'linux-image-6.1.0-56-amd64', version: '6.1.192-2' }]
  t.deepEqual(candidates(old, '6.1', 'amd64'), old)
})

test('machine: every channel has a socket, and what is plugged in has its name', (t) => {
  const directory = directoryFor(t)
  const args = machineArguments(directory).join(' ')
  for (const name of [...CHANNELS, CONTROL, MONITOR]) t.true(args.includes(join(directory, name)), name)
  for (const id of ['pci0', 'ftdi0', 'port0', 'entropy0', 'nvme0', 'scsi0'])
    t.regex(args, new RegExp(`id=${id}\\b`))
})

test('page: rows of every kernel with what each way saw, and what is not there', (t) => {
  const page = formatReport([booted(SOUND), { series: '7', why: 'none listed' }], {
    date: new Date('2026-11-27'),
    command: 'npm run test:devices',
    qemu: '7.2',
    qemuArguments: ['-smp', '2'],
    host: '6.18',
  })
  t.regex(page, /^# On real devices\n\nWritten by `npm run test:devices` on 2026-11-27, never by hand/)
  t.regex(page, /\| 6\.12\.118\+deb13-amd64 \| 6\.12\.118-1 \| 2 \| 0 \| gpio \(not built\) \|/)
  t.regex(page, /\| 7 \| missing: none listed \|/)
  t.regex(
    page,
    /## What is not done\n\n\| device \| what \| why not \|\n[^]*\| usb serial \| a write that cannot be taken/,
  )
})

test('arrivals: what is missing, too many, or swapped is seen', async (t) => {
  const bytes = Buffer.from(Uint8Array.from({ length: 600 }, (_, index) => index % PATTERN))
  const arrivals = new Arrivals()
  arrivals.take(bytes.subarray(0, 300))
  arrivals.take(bytes.subarray(300))
  t.is(arrival(await arrivals.received(600), 600), WHOLE)
  arrivals.take(bytes.subarray(0, 10))
  arrivals.take(bytes.subarray(11, 20))
  t.is(arrival(await arrivals.received(19), 19), '19 of 19, damaged')
  arrivals.take(bytes.subarray(0, 10))
  t.is(arrival(await arrivals.received(5), 5), '10 of 5, intact')
})

test('a channel that holds takes next to nothing, and loses nothing', async (t) => {
  const path = join(directoryFor(t), 'socket')
  const server = createServer().listen(path)
  t.teardown(() => server.close())
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const channel = new Channel(path)
  await channel.connect()
  const [device] = await accepted
  channel.hold()
  const bytes = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, index) => index % PATTERN))
  let hasGone = false
  device.write(bytes, () => (hasGone = true))
  channel.send(Buffer.from('hello'))
  const [said] = (await once(device, 'data')) as [Buffer]
  t.is(said.toString(), 'hello')
  t.false(hasGone)
  channel.drain()
  t.is(await channel.arrivals.received(bytes.length), `${bytes.length} intact`)
  channel.disconnect()
})

test('a rescue says whether it was needed', async (t) => {
  const rescue = new Rescue()
  rescue.set(3_600_000, () => t.fail())
  t.is(rescue.ask(), 'no')
  await new Promise<void>((resolve) => {
    rescue.set(1, resolve)
  })
  t.is(rescue.ask(), 'yes')
})

test('options: the series are 6.1, 6.12 and the newest; what is wrong is named', (t) => {
  t.deepEqual(
    parseOptions([]).series.map(({ name }) => name),
    ['6.1', '6.12', '7'],
  )
  t.like(parseOptions(['--series', '6.12', '--only', 'uart|usb serial', '--no-write']), {
    only: /uart|usb serial/,
    write: false,
    jobs: 1,
    package: undefined,
  })
  t.is(parseOptions(['--package', '../other']).package, '../other')
  for (const [args, words] of [
    [['--series', '4.19'], /--series knows 5\.10, .*not '4\.19'/],
    [['--only', '('], /--only must be/],
    [['--jobs', '0'], /--jobs must be/],
    [['--fast'], /--fast/],
  ] as [string[], RegExp][]) {
    const error = t.throws(() => parseOptions(args), { instanceOf: UsageError })
    t.regex(error.message, words)
  }
})

test('without QEMU one line says so, and the command fails', (t) => {
  const args = ['--import=@oxc-node/core/register', 'scripts/devices.ts']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { PATH: '/nowhere' },
  })
  t.is(status, 69)
  t.is(stdout, '')
  t.is(stderr.trim(), 'test:devices: qemu-system-x86_64 is missing: apt-get install qemu-system-x86')
})

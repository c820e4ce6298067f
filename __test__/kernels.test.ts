/** What `npm run test:kernels` makes of what it reads. (That it boots anything, only it shows itself.) */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import test, { type ExecutionContext } from 'ava'

import { ARM64, X64 } from '../scripts/kernels/architecture.js'
import { Cache } from '../scripts/common/cache.js'
import { parseIndex } from '../scripts/common/package-index.js'
import { readConsole, type Transcript } from '../scripts/kernels/console.js'
import { isGone, mirrorsIn } from '../scripts/common/debian.js'
import { Missing } from '../scripts/common/failure.js'
import { type GuestRecord, MARK, type StepResult } from '../scripts/kernels/job.js'
import { fetchKernel } from '../scripts/kernels/kernel.js'
import { parseOptions, UsageError } from '../scripts/kernels/options.js'
import { type Booted, describe, merge, type Outcome, untilFault } from '../scripts/kernels/outcome.js'
import { candidates } from '../scripts/kernels/package-names.js'
import { durations, PROBE, SEARCH_STEPS, stressSteps, suiteSteps } from '../scripts/kernels/plan.js'
import { inParallel } from '../scripts/kernels/pool.js'
import { formatReport } from '../scripts/kernels/report.js'
import { lostIn, stressRuns } from '../scripts/kernels/stress-result.js'
import { judge } from '../scripts/kernels/verdict.js'
import { directoryFor } from './helpers.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FLAVOUR = 'cloud-amd64'

function named(...names: string[]) {
  return names.map((entry) => {
    const [name = '', version = ''] = entry.split('=')
    return { name, version }
  })
}

test('the newest kernel of a series is found by its version, whatever is listed beside it', (t) => {
  const packages = named(
    'linux-image-6.1-cloud-amd64=6.1.192-2',
    'linux-image-6.1.0-9-cloud-amd64=6.1.27-1',
    'linux-image-6.1.0-56-cloud-amd64=6.1.192-2',
    'linux-image-6.1.0-56-cloud-amd64-unsigned=6.1.192-2',
    'linux-image-6.1.0-56-cloud-amd64-dbg=6.1.192-2',
    'linux-image-6.1.0-57-rt-amd64=6.1.193-1',
    'linux-headers-6.1.0-57-cloud-amd64=6.1.193-1',
    'linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1',
    'linux-image-5.10.0-46-cloud-amd64=5.10.262-1',
    'linux-image-6.1.0-56-cloud-amd64=6.1.192-2',
  )
  t.deepEqual(
    candidates(packages, '6.1', FLAVOUR),
    named(
      'linux-image-6.1.0-56-cloud-amd64=6.1.192-2',
      'linux-image-6.1.0-56-cloud-amd64-unsigned=6.1.192-2',
      'linux-image-6.1.0-9-cloud-amd64=6.1.27-1',
    ),
  )
})

test('where linux-image is empty, linux-binary comes first', (t) => {
  const packages = named(
    'linux-image-7.0.13+deb13-cloud-amd64=7.0.13-1~bpo13+1',
    'linux-image-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1',
    'linux-binary-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1',
    'linux-modules-7.3.4+deb13-cloud-amd64=7.3.4-1~bpo13+1',
    'linux-binary-7.2.12+deb13-cloud-amd64=7.2.12-1~bpo13+1',
  )
  const found = candidates(packages, '7', FLAVOUR).map(({ name }) => name)
  t.deepEqual(found.slice(0, 3), [
    'linux-binary-7.3.4+deb13-cloud-amd64',
    'linux-image-7.3.4+deb13-cloud-amd64',
    'linux-binary-7.2.12+deb13-cloud-amd64',
  ])
  t.is(found.length, 4)
})

test('an index is read stanza by stanza', (t) => {
  const index =
    'Package: one\nVersion: 1:2-3\nDepends: x1, y-2 (>= 1.2) | z\n\nPackage: two\nArchitecture: amd64\nVersion: 4\n'
  t.deepEqual(parseIndex(index), [
    { name: 'one', version: '1:2-3', depends: ['x1', 'y-2'] },
    { name: 'two', version: '4' },
  ])
  t.deepEqual(parseIndex(''), [])
})

/** A line of `apt-get update --print-uris`. */
const uri = (base: string, suite: string) => `'${base}/dists/${suite}/InRelease' name 0\n`

test("the mirrors are apt's, and where it has none, that is said instead of naming one", (t) => {
  const security = uri('https://security.example/debian-security', 'bookworm-security')
  const main = uri('http://mirror.example/debian', 'bookworm')
  const other = uri('https://packages.example/node_20.x', 'nodistro')
  t.deepEqual(mirrorsIn(security + main + uri('http://second.example/debian', 'trixie') + other), {
    main: 'http://mirror.example/debian',
    security: 'https://security.example/debian-security',
  })
  for (const [uris, what] of [
    ['', /^apt knows no mirror of Debian \(.+\/debian\): add .+sources\.list\.d.+APT_CONFIG/],
    [other + security, /^apt knows no mirror of Debian \(/],
    [main, /^apt knows no mirror of Debian's security updates \(.+\/debian-security\): /],
  ] as const) {
    t.throws(() => mirrorsIn(uris), { instanceOf: Missing, message: what })
  }
})

test('a suite that is gone is told from a mirror that does not answer', (t) => {
  t.true(isGone("E: The repository 'http://x/debian bullseye Release' no longer has a Release file."))
  t.true(isGone('E: Failed to fetch http://x/y.deb  404  Not Found [IP: 1.2.3.4 80]'))
  t.false(isGone("W: Failed to fetch http://x/InRelease  Could not resolve 'x'"))
})

const NONCE = 'b6c7'

function line(number: number, record: GuestRecord, nonce = NONCE): string {
  return `${MARK} ${nonce} ${number} ${JSON.stringify(record)}`
}

const begin: GuestRecord = {
  type: 'begin',
  kernel: '5.10.0-46',
  node: 'v20.1.2',
  processor: 'QEMU',
  processors: 2,
}
const stepRecord = (of: StepResult): GuestRecord => ({ type: 'step', result: of })
const end = (count: number): GuestRecord => ({ type: 'end', steps: count })

function result(name: string, more: Partial<StepResult> = {}): StepResult {
  return { name, status: 0, signal: null, timedOut: false, seconds: 1, ...more }
}

test('records are found among what else the console shows, and nobody without the nonce makes one', (t) => {
  const output = [
    'SeaBIOS',
    line(0, begin),
    `[    1.2] a warning${line(1, stepRecord(result('one')))}`,
    line(2, stepRecord(result('forged')), 'other'),
    line(2, end(1)),
    line(1, stepRecord(result('a copy'))),
  ].join('\r\r\n')
  const { kernel, results, isWhole } = readConsole(output, NONCE)
  t.is(kernel, '5.10.0-46')
  t.deepEqual(
    results.map(({ name }) => name),
    ['one'],
  )
  t.true(isWhole)
})

test('a record that the kernel broke is taken from its copy', (t) => {
  const broken = line(1, stepRecord(result('one')))
  const output = [
    line(0, begin),
    broken.slice(0, 40),
    `[   12.3] a warning${broken.slice(40)}`,
    line(2, end(1)),
    line(0, begin),
    broken,
    line(2, end(1)),
  ]
  t.true(readConsole(output.join('\n'), NONCE).isWhole)
  t.false(readConsole(output.slice(0, 4).join('\n'), NONCE).isWhole, 'without the copy it is missing')
})

test("without the guest's own end nothing is whole, and the end of the console is kept", (t) => {
  const output = [
    line(0, begin),
    line(1, stepRecord(result('one'))),
    '[ 3.4] Kernel panic - not syncing',
  ].join('\n')
  const { isWhole, tail } = readConsole(output, NONCE)
  t.false(isWhole)
  t.is(tail, '[ 3.4] Kernel panic - not syncing')
  t.false(readConsole('', NONCE).isWhole)
  t.false(readConsole([line(0, begin), line(1, end(2))].join('\n'), NONCE).isWhole, 'two steps, no result')
})

/** What the program in Rust prints. */
function stress(mode: string, lost: number, more: object = {}): unknown {
  const answers = { found: 0, ENOENT: lost, EALREADY: 0, other: 0 }
  const run = {
    mode,
    add: 0,
    seconds: 12.5,
    rounds: 4321,
    lost: { total: lost, ...answers },
    reissued: 7,
    rescued: 6,
    cancelMicroseconds: { p50: 1, p99: 2, max: 65_432.1 },
    problems: [],
    ...more,
  }
  return { kernel: 'x', ok: true, runs: [run] }
}

test('the results of both stress programs are read alike', (t) => {
  const [rust] = stressRuns(stress('raw', 3))
  const node = {
    runs: [
      {
        mode: 'raw',
        add: 0,
        seconds: 12.5,
        rounds: 4321,
        lost: { count: 3, byAnswer: { '-ENOENT': 3 } },
        reissued: 7,
        rescued: 6,
        microseconds: { max: 65_432.1 },
        problems: [],
      },
    ],
  }
  t.deepEqual(stressRuns(node), [rust])
  t.is(rust?.lost, 3)
  t.deepEqual(rust?.lostByAnswer, { ENOENT: 3 })
  t.is(lostIn(node), 3)
  t.is(lostIn({ flags: {} }), 0, 'another document has no runs')
  t.throws(() => stressRuns({ runs: [{ mode: 'safe' }] }), { instanceOf: TypeError })
})

function transcript(results: StepResult[], more: Partial<Transcript> = {}): Transcript {
  const guest = {
    kernel: '5.10.0-46-cloud-amd64',
    node: 'v20.20.2',
    processor: 'QEMU Virtual CPU',
    processors: 2,
  }
  return { ...guest, results, isWhole: true, isEmulatorsFault: false, tail: '', ...more }
}

const [RAW, RAW_WITH_LOAD] = SEARCH_STEPS
const PROBED = {
  supported: true,
  flags: { COOP_TASKRUN: false, SINGLE_ISSUER: false, SUBMIT_ALL: true },
}

function stepsWith(more: Record<string, Partial<StepResult>> = {}): StepResult[] {
  const sound: Record<string, Partial<StepResult>> = {
    [PROBE]: { json: PROBED },
    'rust ring': { tally: { passed: 15, failed: 0, notRun: [] } },
    [RAW]: { json: stress('raw', 1) },
    [RAW_WITH_LOAD]: { skipped: true },
    'stress safe': { json: stress('safe', 0) },
  }
  return Object.entries({ ...sound, ...more }).map(([name, rest]) => result(name, rest))
}

function booted(results: StepResult[], more: Partial<Booted> = {}): Booted {
  return {
    series: '5.10',
    version: '5.10.262-1',
    planned: results.map(({ name }) => name),
    timedOut: false,
    seconds: 100,
    transcript: transcript(results),
    ...more,
  }
}

const searched = { searchedForLoss: true }
const failures = (outcomes: Outcome[]) => judge(outcomes, searched).failures

test('verdict: a sound run passes, and counts tests, steps, boots and the loss', (t) => {
  const { passed, failed, failures: none } = judge([booted(stepsWith())], searched)
  t.deepEqual(none, [])
  // 15 tests, the probe, two stress runs, the boot, and that something was lost.
  t.deepEqual({ passed, failed }, { passed: 15 + 1 + 2 + 1 + 1, failed: 0 })
})

test('verdict: it fails when mode safe lost an operation', (t) => {
  const lost = booted(stepsWith({ 'stress safe': { status: 1, json: stress('safe', 1) } }))
  t.deepEqual(failures([lost]), ['5.10: stress safe: mode safe lost 1'])
  const inNode = booted(stepsWith({ 'node stress safe': { json: stress('safe', 2) } }))
  t.deepEqual(failures([inNode]), ['5.10: node stress safe: mode safe lost 2'])
})

test('verdict: it fails when mode raw lost nothing on all kernels, and not when one has lost', (t) => {
  const lossless = booted(stepsWith({ [RAW]: { json: stress('raw', 0) } }))
  t.deepEqual(failures([lossless, { ...lossless, series: '7' }]), [
    'mode raw lost nothing on any kernel, so that mode safe proved nothing',
  ])
  t.deepEqual(failures([lossless, booted(stepsWith())]), [])
  const withLoad = { [RAW_WITH_LOAD]: { json: stress('raw', 1) } }
  t.deepEqual(failures([booted(stepsWith({ [RAW]: { json: stress('raw', 0) }, ...withLoad }))]), [])
  t.deepEqual(judge([lossless], { searchedForLoss: false }).failures, [])
})

test('verdict: what Node lost, or what was lost with add 1, is no loss of the search', (t) => {
  const beside = {
    'node stress raw': { json: stress('raw', 5) },
    'stress raw, add 1': { json: stress('raw', 5) },
  }
  t.is(failures([booted(stepsWith({ [RAW]: { json: stress('raw', 0) }, ...beside }))]).length, 1)
})

test('verdict: a guest that ended without its end marker fails, with what its console showed last', (t) => {
  const results = stepsWith()
  const cut = transcript(results, {
    isWhole: false,
    tail: 'Kernel panic - not syncing: Attempted to kill init!',
  })
  const [failure = '', ...others] = failures([booted(results, { transcript: cut })])
  t.deepEqual(others, [])
  t.regex(failure, /^5\.10: the guest ended before its time\n {4}Kernel panic/)
})

test('verdict: a guest with one processor, in which nothing races, fails', (t) => {
  const alone = booted(stepsWith(), { transcript: transcript(stepsWith(), { processors: 1 }) })
  t.deepEqual(failures([alone]), ['5.10: the guest ran on 1 of 2 processors'])
})

const isFault = (...lines: string[]) => readConsole(lines.join('\n'), NONCE).isEmulatorsFault

test("a trap of the kernel's own patching is the emulator's fault, and no other end is", (t) => {
  const trap = '[  330.827685] Oops: int3: 0000 [#1] SMP NOPTI'
  t.true(isFault(line(0, begin), trap, '[  330.8] RIP: 0010:sched_clock_cpu+0x9/0x1f0'))
  t.true(isFault('[    2.180612] int3: 0000 [#1] SMP NOPTI'), 'as it may be worded')
  t.false(isFault(line(0, begin), trap, line(1, end(0))), 'what it printed has not ended it')
  for (const other of [
    '[    2.1] Kernel panic - not syncing: Attempted to kill init!',
    '[    2.1] Oops: general protection fault: 0000 [#1] SMP',
    'not ok 1 - int3: 0000 [#1]',
    // What breaks after another fault is not the cause.
    '[    2.1] Oops: 0002 [#1] SMP\n[    2.2] Oops: int3: 0000 [#2] SMP',
    '',
  ]) {
    t.false(isFault(other), other)
  }
})

test('verdict: a guest that hangs, and steps that never ran, fail', (t) => {
  const results = stepsWith().slice(0, 2)
  const planned = stepsWith().map(({ name }) => name)
  const cut = transcript(results, { isWhole: false, tail: '--- stress raw' })
  const [failure = ''] = failures([
    booted(results, { planned, timedOut: true, seconds: 61.4, transcript: cut }),
  ])
  t.regex(
    failure,
    /the guest was killed after 61 s, without: stress raw; stress raw, with load; stress safe\n/,
  )
  const silent = booted(results, { planned })
  t.regex(failures([silent])[0] ?? '', /without: stress raw/, 'also if the guest says that it was all')
})

test('verdict: a test that fails in a guest fails the run, and each is counted', (t) => {
  const tally = { passed: 13, failed: 2, notRun: [] }
  const verdict = judge([booted(stepsWith({ 'rust ring': { status: 101, tally } }))], searched)
  t.is(verdict.failed, 2)
  t.deepEqual(verdict.failures, ['5.10: rust ring: 2 of 15 tests failed'])
})

for (const [what, more, failure] of [
  [
    'a suite that crashes',
    { status: null, signal: 'SIGSEGV', tally: { passed: 3, failed: 0, notRun: [] } },
    'ended by SIGSEGV',
  ],
  [
    'a suite that ends with an error after its tests',
    { status: 1, tally: { passed: 3, failed: 0, notRun: [] } },
    'ended with 1',
  ],
  ['a suite without tests', { tally: { passed: 0, failed: 0, notRun: [] } }, 'ran no test'],
  ['a step that hangs', { timedOut: true, seconds: 900 }, 'hangs: killed after 900 s'],
  ['a stress run without a result', {}, 'printed no result'],
  ['a stress run without a round', { json: stress('safe', 0, { rounds: 0 }) }, 'finished no round'],
  [
    'a value out of nowhere',
    { status: 1, json: stress('raw', 1, { problems: ['5 are left'] }) },
    'raw: 5 are left',
  ],
  ['a status that says more than the result', { status: 1, json: stress('safe', 0) }, 'ended with 1'],
] as [string, Partial<StepResult>, string][]) {
  test(`verdict: ${what} fails`, (t) => {
    const [found = '', ...others] = failures([booted(stepsWith({ 'stress safe': more }))])
    t.deepEqual(others, [])
    t.true(found.startsWith('5.10: stress safe') && found.includes(failure), found)
  })
}

test('verdict: a kernel in which the library finds no io_uring fails', (t) => {
  const probe = { [PROBE]: { json: { supported: false } } }
  t.deepEqual(failures([booted(stepsWith(probe))]), ['5.10: the library finds no io_uring here'])
  t.is(failures([booted(stepsWith({ [PROBE]: { status: 1 } }))]).length, 1)
})

test('verdict: a series that Debian has no more is no failure, unless nothing is left', (t) => {
  const missing: Outcome = { series: '6.18', why: 'trixie-backports list none' }
  t.deepEqual(failures([booted(stepsWith()), missing]), [])
  t.deepEqual(failures([missing]), ['no kernel was booted, so that nothing was shown'])
})

test('a second boot of a kernel adds to the first', (t) => {
  const first = booted(stepsWith({ [RAW]: { json: stress('raw', 0) } }))
  const second = booted([result(SEARCH_STEPS[2], { json: stress('raw', 2) })])
  t.deepEqual(failures([merge(first, second)]), [])
  const cut = { ...second, transcript: transcript(second.transcript.results, { isWhole: false }) }
  t.is(failures([merge(first, cut)]).length, 1)
  const alone = { ...second, transcript: transcript(second.transcript.results, { processors: 1 }) }
  t.deepEqual(failures([merge(first, alone)]), ['5.10: the guest ran on 1 of 2 processors'])
})

test('a guest that QEMU ended counts what it did; the rest is asked of the next', (t) => {
  const steps = stepsWith()
  const [done, left] = [steps.slice(0, 3), steps.slice(3)]
  const cut = transcript(done, { isWhole: false, isEmulatorsFault: true, tail: 'Oops: int3' })
  const first = booted(done, { planned: steps.map(({ name }) => name), timedOut: true, transcript: cut })
  t.is(failures([first]).length, 1)
  t.deepEqual(failures([merge(untilFault(first), booted(left))]), [])
  const [failure = ''] = failures([
    merge(untilFault(first), booted(left.slice(1), { planned: left.map(({ name }) => name) })),
  ])
  t.regex(failure, /without: stress raw, with load$/m, 'what is left in the next, too, is missing')
})

test('the page holds a row for each kernel, and names what is missing and what did not run', (t) => {
  const tally = { passed: 15, failed: 0, notRun: ['a slow one (ignored)'] }
  const more = {
    'rust ring': { tally },
    'node stress raw': { json: stress('raw', 0, { add: 1, problems: [] }) },
  }
  const outcomes: Outcome[] = [booted(stepsWith(more)), { series: '6.18', why: 'trixie-backports list none' }]
  const page = formatReport(outcomes, {
    date: new Date('2026-11-22T12:00:00Z'),
    command: 'npm run test:kernels',
    qemu: '7.2.22',
    qemuArguments: ['-smp', '2'],
    host: '6.18.44',
    seconds: 180,
  })
  const row =
    '| 5.10.0-46-cloud-amd64 | 5.10.262-1 | COOP_TASKRUN, SINGLE_ISSUER | 15 | 0 | 4321 | 1 (1 -ENOENT) | 4321 | 0 | 7 | 6 | 65.4 |'
  for (const part of [
    row,
    '| 6.18 | missing: trixie-backports list none |',
    '| 5.10.0-46-cloud-amd64 | Node | raw | 1 | 12.5 | 4321 | 0 |',
    '- 5.10.0-46-cloud-amd64: rust ring: a slow one (ignored)',
    '2026-11-22',
    'QEMU\n7.2.22',
    'Linux 6.18.44',
    'QEMU Virtual CPU',
    'Node v20.20.2',
    '`npm run test:kernels`',
    'at most 180 s',
  ]) {
    t.true(page.includes(part), `${part}\n${page}`)
  }
  for (const tableRow of page.split('\n').filter((text) => text.startsWith('|'))) {
    t.true([13, 11].includes(tableRow.split('|').length - 1), tableRow)
  }
})

test('a step is described in a line', (t) => {
  t.is(
    describe(result(RAW, { json: stress('raw', 2) })),
    'stress raw: 4321 rounds, lost 2 2 ENOENT, rescued 6, 1 s, ok',
  )
  const tally = { passed: 1, failed: 2, notRun: [] }
  t.is(
    describe(result('rust ring', { tally, status: 101 })),
    'rust ring: 1 passed, 2 failed, 1 s, rust ring: 2 of 3 tests failed',
  )
})

test('each step has a name of its own, and an end', (t) => {
  const all = [
    ...suiteSteps({ rust: ['lib', 'ring'], ava: ['contract.test'] }),
    ...stressSteps(durations(180)),
  ]
  t.is(new Set(all.map(({ name }) => name)).size, all.length)
  t.true(all.every(({ limitSeconds }) => limitSeconds > 0 && limitSeconds < 3600))
  const search = all.filter(({ name }) => SEARCH_STEPS.some((searching) => searching === name))
  const seconds = search.map(({ args }) => Number(args[args.indexOf('--seconds') + 1]))
  t.is(
    seconds.reduce((sum, time) => sum + time, 0),
    180,
    'the search takes no longer than it was told to',
  )
})

test('guests run side by side, and their results stay in order', async (t) => {
  const waiting: (() => void)[] = []
  const begun: number[] = []
  const all = inParallel([0, 1, 2], 2, async (item) => {
    begun.push(item)
    await new Promise<void>((resolve) => waiting.push(resolve))
    return `done ${item}`
  })
  t.deepEqual(begun, [0, 1])
  waiting[1]?.()
  await turn()
  t.deepEqual(begun, [0, 1, 2], 'the next one begins when one is done')
  waiting[2]?.()
  waiting[0]?.()
  t.deepEqual(await all, ['done 0', 'done 1', 'done 2'])
  t.deepEqual(await inParallel([], 2, () => Promise.reject(new Error('nothing to do'))), [])
})

test('options: series, seconds and what is written; what is wrong is named', (t) => {
  t.deepEqual(
    parseOptions(['--series', '6.12,5.10', '--seconds', '30', '--no-write']).series.map(({ name }) => name),
    ['5.10', '6.12'],
  )
  t.like(parseOptions([]), { seconds: 180, jobs: 1, write: undefined, only: undefined })
  t.like(parseOptions(['--no-write']), { write: false })
  t.like(parseOptions(['--write', '--only', 'rust|ava']), { write: true, only: /rust|ava/ })
  t.like(parseOptions([]), { architecture: X64, processor: 'qemu64,-cx16', node: '20' })
  t.like(parseOptions(['--arch', 'arm64']), { architecture: ARM64, processor: 'neoverse-n1', node: '20' })
  const old = ['--arch', 'arm64', '--cpu', 'cortex-a57', '--node', '26']
  t.like(parseOptions(old), { architecture: ARM64, processor: 'cortex-a57', node: '26' })
  for (const [args, words] of [
    [['--arch', 'riscv64'], /--arch knows x64, arm64, not 'riscv64'/],
    [['--cpu', 'cortex-a57'], /--cpu knows qemu64,-cx16, not 'cortex-a57'/],
    [['--arch', 'arm64', '--node', '18'], /--node knows 20, 26, musl, not '18'/],
    [['--series', '4.19'], /--series knows 5\.10, 6\.1, 6\.8, 6\.12, 6\.18, 7, not '4\.19'/],
    [['--seconds', 'x'], /--seconds must be/],
    [['--seconds', '0'], /--seconds must be/],
    [['--only', '('], /--only must be/],
    [['--jobs', '0'], /--jobs must be an integer from 1 to 16, not '0'/],
    [['--jobs', '1.5'], /--jobs must be/],
    [['--fast'], /--fast/],
  ] as [string[], RegExp][]) {
    const error = t.throws(() => parseOptions(args), { instanceOf: UsageError })
    t.regex(error.message, words)
  }
})

test('without QEMU one line says so, and the command fails', (t) => {
  const args = ['--import=@oxc-node/core/register', 'scripts/kernels.ts']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { PATH: '/nowhere' },
  })
  t.is(status, 69)
  t.is(stdout, '')
  t.is(stderr.trim(), 'test:kernels: qemu-system-x86_64 is missing: apt-get install qemu-system-x86')
})

/** Programs of these names that print what they are told to, instead of apt's own. */
function fakeApt(t: ExecutionContext, scripts: Record<string, string>): Cache {
  const directory = directoryFor(t)
  const { PATH } = process.env
  process.env['PATH'] = `${directory}:${PATH}`
  t.teardown(() => (process.env['PATH'] = PATH))
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(directory, name), `#!/bin/sh\n${script}`, { mode: 0o755 })
  }
  return new Cache(join(directory, 'cache'))
}

const LISTED = `case "$*" in
  *search*) echo 'linux-image-5.10.0-46-cloud-amd64 - Linux'; echo 'linux-image-5.10.0-45-cloud-amd64 - Linux' ;;
  *show*) printf 'Package: linux-image-5.10.0-%s-cloud-amd64\\nVersion: 5.10.%s-1\\n\\n' 46 262 45 261 ;;
esac`
const SERIES_510 = { name: '5.10', suites: ['bullseye', 'bullseye-security'] }
const MIRROR = { main: 'http://mirror.example/debian', security: 'http://mirror.example/debian-security' }

test.serial('a kernel whose file answers 404 is passed over for the next older one', async (t) => {
  const cache = fakeApt(t, {
    'apt-cache': LISTED,
    'apt-get': `case "$*" in
      *download*46-cloud*) echo 'E: Failed to fetch http://x/y.deb  404  Not Found' >&2; exit 100 ;;
      *download*45-cloud*) mkdir -p boot && echo kernel > boot/vmlinuz-45 && tar -cf kernel.deb ./boot ;;
    esac`,
    // A tarball stands in for the package.
    'dpkg-deb': 'cat "$2"',
  })
  const kernel = await fetchKernel(cache, MIRROR, SERIES_510, X64)
  t.like(kernel, { series: '5.10', package: { version: '5.10.261-1' }, modules: [] })
  if (!('image' in kernel)) return
  t.is(readFileSync(kernel.image, 'utf8'), 'kernel\n')
  fakeApt(t, {
    'apt-get': 'case "$*" in *download*45*) exit 1 ;; *download*) echo " 404 " >&2; exit 1 ;; esac',
  })
  t.deepEqual(await fetchKernel(cache, MIRROR, SERIES_510, X64), kernel, 'the second time from the cache')
})

test.serial('a series is missing, and no failure, where its suites hold no kernel of it', async (t) => {
  const gone = "E: The repository 'http://x/debian bullseye Release' no longer has a Release file."
  const cache = fakeApt(t, { 'apt-cache': ':', 'apt-get': `echo "${gone}" >&2; exit 100` })
  const found = await fetchKernel(cache, MIRROR, SERIES_510, X64)
  t.deepEqual(found, { series: '5.10', why: `bullseye and bullseye-security list none (${gone})` })
  const all404 = fakeApt(t, {
    'apt-cache': LISTED,
    'apt-get': 'case "$*" in *download*) echo " 404 " >&2; exit 100 ;; esac',
  })
  const unfetchable = await fetchKernel(all404, MIRROR, SERIES_510, X64)
  t.deepEqual(unfetchable, {
    series: '5.10',
    why: 'bullseye and bullseye-security list 2, and none can be fetched',
  })
})

test.serial('a mirror that does not answer is an error in one line', async (t) => {
  for (const [complaint, status] of [
    ["W: Failed to fetch http://x/InRelease  Could not resolve 'x'", 0],
    ['E: Failed to fetch http://x/InRelease  Could not connect to x:80', 100],
    ['', 100],
  ] as const) {
    const cache = fakeApt(t, { 'apt-cache': LISTED, 'apt-get': `echo "${complaint}" >&2; exit ${status}` })
    const error = await t.throwsAsync(fetchKernel(cache, MIRROR, SERIES_510, X64), { instanceOf: Missing })
    t.regex(error.message, /^the Debian mirror does not answer: .+$/)
  }
})

const SERIES_68 = {
  name: '6.8',
  version: '6.8.9',
  architecture: 'x64',
  module: { module: 'modules.example/kernel', version: 'v0.0.1', sum: 'h1:right=' },
} as const

/** A go that says it has downloaded a directory with a kernel in it. */
function fakeGo(t: ExecutionContext, sum: string): Cache {
  const directory = directoryFor(t)
  writeFileSync(join(directory, 'vmlinuz'), 'kernel\n')
  const answer = JSON.stringify({ Dir: directory, Sum: sum })
  return fakeApt(t, {
    go: `[ "$*" = 'mod download -json modules.example/kernel@v0.0.1' ] && [ ! -e go.mod ] && echo '${answer}'`,
  })
}

test.serial('a kernel of a Go module is fetched by go, and none with other contents is booted', async (t) => {
  const kernel = await fetchKernel(fakeGo(t, 'h1:right='), MIRROR, SERIES_68, X64)
  t.like(kernel, { series: '6.8', package: { version: '6.8.9' }, modules: [] })
  t.is('image' in kernel && readFileSync(kernel.image, 'utf8'), 'kernel\n')
  const other = await fetchKernel(fakeGo(t, 'h1:wrong='), MIRROR, SERIES_68, X64)
  t.deepEqual(other, {
    series: '6.8',
    why: 'modules.example/kernel@v0.0.1 has the wrong contents: h1:wrong=',
  })
})

test.serial(
  'a series whose module is not to be had is missing, with what go said, and no failure',
  async (t) => {
    const refusing = `printf %s '{"Error": "modules.example: reading\\n\\tserver response: 403"}'; exit 1`
    t.deepEqual(await fetchKernel(fakeApt(t, { go: refusing }), MIRROR, SERIES_68, X64), {
      series: '6.8',
      why: 'go does not give modules.example/kernel@v0.0.1: modules.example: reading server response: 403',
    })
    t.deepEqual(
      await fetchKernel(fakeApt(t, { go: 'echo "go: no network" >&2; exit 2' }), MIRROR, SERIES_68, X64),
      { series: '6.8', why: 'go does not give modules.example/kernel@v0.0.1: go: no network' },
    )
    t.deepEqual(await fetchKernel(fakeApt(t, { go: 'exit 3' }), MIRROR, SERIES_68, ARM64), {
      series: '6.8',
      why: 'modules.example/kernel is for x64',
    })
    const cache = fakeApt(t, {})
    const { PATH } = process.env
    process.env['PATH'] = '/nowhere'
    t.teardown(() => (process.env['PATH'] = PATH))
    t.deepEqual(await fetchKernel(cache, MIRROR, SERIES_68, X64), {
      series: '6.8',
      why: 'go is missing: apt-get install golang-go (it fetches modules.example/kernel)',
    })
  },
)

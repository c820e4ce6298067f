/** The stress test's own parts, and short runs of it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import test, { type ExecutionContext } from 'ava'

import { parseArguments } from '../dist/src/commands/stress/arguments.js'
import { type Accounts, checkConservation } from '../dist/src/commands/stress/conservation.js'
import { Histogram } from '../dist/src/commands/stress/histogram.js'
import { describeLost, formatTable, lostCount } from '../dist/src/commands/stress/report.js'
import { runScenario, type Run } from '../dist/src/commands/stress/run.js'
import { describeScenario, type Mode, type Scenario } from '../dist/src/commands/stress/scenario.js'
import { UsageError } from '../dist/src/commands/usage-error.js'
import { directoryFor, openDescriptors } from './helpers.js'

function scenario(changes: Partial<Scenario> = {}): Scenario {
  return {
    name: 'test',
    threads: 4,
    add: 1,
    async: false,
    spin: 0,
    rounds: undefined,
    seconds: 1,
    ...changes,
  }
}

/** A thread's program that is run instead of the real one. */
function programFor(t: ExecutionContext, source: string): URL {
  const path = join(directoryFor(t), 'program.mjs')
  writeFileSync(path, source)
  return pathToFileURL(path)
}

function chosen(...args: string[]): Scenario[] {
  return parseArguments(args).scenarios
}

const MODES: readonly Mode[] = ['raw', 'safe']

for (const mode of MODES) {
  test(`plain reads, writes that add 1, mode ${mode}: everything is accounted for`, async (t) => {
    const run = await runScenario(scenario({ rounds: 2000, seconds: undefined }), mode)
    t.deepEqual(run.problems, [])
    const { counts, left } = run
    t.is(counts.rounds, 8000)
    t.is(counts.submitted, 3 * counts.rounds)
    t.is(counts.settled, counts.submitted)
    t.is(counts.added, counts.rounds)
    t.is(counts.added, counts.returned + left)
    t.true(counts.delivered > 0, 'no read ever returned a count')
  })

  test(`provoked, writes that add 0, mode ${mode}: every read ends by its cancel`, async (t) => {
    const run = await runScenario(
      scenario({ add: 0, async: true, spin: 30, rounds: 2000, seconds: undefined }),
      mode,
    )
    t.deepEqual(run.problems, [])
    const { counts, stats } = run
    t.is(counts.cancelled, 2 * counts.rounds)
    t.is(counts.delivered, 0)
    t.is(stats.cancelsRequested, counts.reads)
    if (mode === 'safe') t.is(lostCount(run), 0)
  })
}

test('the race of the report is really hit, and how often', async (t) => {
  const run = await runScenario(scenario({ add: 0, async: true, spin: 30, seconds: 5 }), 'safe')
  t.deepEqual(run.problems, [])
  const { counts, stats, latency } = run
  const { already, notFound } = stats.cancelAnswers
  t.log(
    `${counts.reads} cancelled reads: ${already} cancels answered -EALREADY, ${notFound} -ENOENT;`,
    `${stats.rescued} reads ended only by another cancel, the worst after ${stats.maxAttempts} and ${Math.round(latency.longest)} µs`,
  )
  // Whether it is hit is up to the kernel and the moment; that nothing gets lost is not.
  t.is(lostCount(run), 0)
  t.is(stats.completed, stats.submitted)
})

test('a limit of rounds is kept by every thread, and the descriptors are given back', async (t) => {
  await runScenario(scenario({ threads: 3, rounds: 10, seconds: undefined }), 'safe')
  const before = openDescriptors().filter((target) => target.includes('eventfd')).length
  const run = await runScenario(scenario({ threads: 3, rounds: 500, seconds: undefined }), 'safe')
  t.deepEqual(run.problems, [])
  t.is(run.counts.rounds, 1500)
  t.is(openDescriptors().filter((target) => target.includes('eventfd')).length, before)
})

test('a run that is interrupted ends at once, and is accounted for', async (t) => {
  const controller = new AbortController()
  // Far beyond Ava's own patience.
  const running = runScenario(scenario({ seconds: 3600 }), 'safe', {
    signal: controller.signal,
    onProgress: (_, rounds) => {
      if (rounds > 0) controller.abort()
    },
  })
  const run = await running
  t.deepEqual(run.problems, [])
  t.true(run.counts.rounds > 0)
})

test('a thread that crashes fails the run with its error', async (t) => {
  const run = await runScenario(scenario(), 'safe', { program: programFor(t, "throw new Error('broken')") })
  t.is(run.problems.length, 4)
  t.regex(run.problems[0] ?? '', /^thread 0: Error: broken/)
  t.is(run.verdict, 'failed')
})

test('a thread that cannot begin for want of memory or descriptors: no verdict, and why', async (t) => {
  for (const code of ['ERR_IO_URING_UNAVAILABLE', 'EMFILE']) {
    const thrown = `throw Object.assign(new Error('there is none left'), { code: '${code}' })`
    const run = await runScenario(scenario(), 'safe', { program: programFor(t, thrown) })
    t.is(run.verdict, 'not judged')
    t.is(run.problems.length, 4)
    t.is(run.problems[0], 'thread 0: there is none left')
    const table = formatTable([run])
    t.regex(table, /^ {2}conservation +not judged$/m)
  }
  // One that fails for another reason is judged, whatever the others lack.
  const source = `
    import { workerData } from 'node:worker_threads'
    const code = workerData.thread === 2 ? 'ERR_ANOTHER' : 'EMFILE'
    throw Object.assign(new Error(code), { code })
  `
  const mixed = await runScenario(scenario(), 'safe', { program: programFor(t, source) })
  t.is(mixed.verdict, 'failed')
})

test('a thread that exits fails the run', async (t) => {
  const run = await runScenario(scenario(), 'safe', { program: programFor(t, 'process.exit(3)') })
  t.regex(run.problems[0] ?? '', /^thread 0: Error: it exited with code 3 before its end/)
})

test('threads that hang fail the run, idle or busy', async (t) => {
  for (const source of ['setInterval(() => {}, 1000)', 'for (;;);']) {
    const run = await runScenario(scenario(), 'safe', { program: programFor(t, source), patience: 1000 })
    t.is(run.problems.length, 4)
    t.regex(run.problems[3] ?? '', /^thread 3: Error: it hangs: no progress for 1 s, after 0 rounds/)
    t.false(run.isHung)
  }
})

test('threads that wait for one that hangs are not blamed for it', async (t) => {
  const source = `
    import { parentPort, workerData } from 'node:worker_threads'
    const { thread, words } = workerData
    if (thread === 2) for (;;);
    parentPort.postMessage({ type: 'ready' })
    Atomics.wait(words, 0, 0)
    for (let round = 0; round < 10 && words[1] === 0; round += 1) Atomics.add(words, 2 + 2 * thread, 1)
    process.exit(0)
  `
  const run = await runScenario(scenario(), 'safe', { program: programFor(t, source), patience: 5000 })
  t.regex(run.problems[2] ?? '', /^thread 2: Error: it hangs/)
  const others = run.problems.filter((problem) => problem.includes('it exited with code 0'))
  t.is(others.length, 3)
})

const COUNTS: Accounts['counts'] = {
  rounds: 10,
  submitted: 30,
  settled: 30,
  reads: 20,
  delivered: 8,
  returned: 9,
  cancelled: 12,
  added: 10,
}

function accounts(changes: Partial<Accounts['counts']> = {}, others: Partial<Accounts> = {}): Accounts {
  const counts = { ...COUNTS, ...changes }
  return { add: 1, counts, stats: { submitted: 30, completed: 30 }, left: 1, ...others }
}

test('conservation: nothing is wrong where all adds up', (t) => {
  t.deepEqual(checkConservation(accounts()), [])
  const none = { delivered: 0, returned: 0, cancelled: 20, added: 0 }
  t.deepEqual(checkConservation(accounts(none, { add: 0, left: 0 })), [])
})

test('conservation: a count too few or too many is noticed', (t) => {
  const lost = 'the writes added 10, but the reads returned 9 and 0 is left in the eventfds, which is 9'
  t.deepEqual(checkConservation(accounts({}, { left: 0 })), [lost])
  const twice = 'the writes added 10, but the reads returned 10 and 1 is left in the eventfds, which is 11'
  t.deepEqual(checkConservation(accounts({ returned: 10 })), [twice])
})

test('conservation: an operation that did not settle, or settled twice, is noticed', (t) => {
  const [first] = checkConservation(accounts({ settled: 29 }))
  t.is(first, '30 operations were submitted, and 29 settled')
  const stats = { submitted: 30, completed: 31 }
  const [other] = checkConservation(accounts({}, { stats }))
  t.is(other, 'the rings count 30 operations submitted and 31 settled, the threads 30 and 30')
  const [third] = checkConservation(accounts({ cancelled: 11 }))
  t.is(third, 'of 20 reads 8 returned a count and 11 were cancelled, which is 19')
})

test('conservation: a count out of nothing is noticed', (t) => {
  const none = { delivered: 1, returned: 0, cancelled: 19, added: 0 }
  t.deepEqual(checkConservation(accounts(none, { add: 0, left: 0 })), [
    'the writes added 0, so that every read had to end by its cancel, but 1 returned a count',
  ])
})

test('a histogram tells percentiles within a bucket, and the longest exactly', (t) => {
  const first = new Histogram()
  t.deepEqual([first.percentile(0.5), first.longest], [0, 0])
  for (let microseconds = 1; microseconds <= 1000; microseconds += 1) first.record(microseconds / 1000)
  const median = first.percentile(0.5)
  t.true(median >= 500 && median < 525, `${median}`)
  t.is(first.percentile(1), 1000)
  const both = new Histogram()
  both.record(5000)
  both.add(first.data)
  t.is(both.longest, 5_000_000)
  t.true(both.percentile(0.99) < 1040)
  // Longer than the buckets reach, and shorter.
  both.record(1e9)
  both.record(0)
  t.is(both.longest, 1e12)
})

test('by default both scenarios run, in both modes', (t) => {
  const { modes, scenarios, json } = parseArguments([])
  t.deepEqual(modes, ['raw', 'safe'])
  t.false(json)
  const [plain, provoked, ...others] = scenarios
  t.is(others.length, 0)
  t.like(plain, { name: 'as reported', add: 1, async: false, spin: 0, seconds: 10, rounds: undefined })
  t.like(provoked, { name: 'provoked', add: 0, async: true, spin: 30, seconds: 10 })
  t.true((plain?.threads ?? 0) >= 4)
})

test('one scenario runs if it is described', (t) => {
  t.like(chosen('--async'), [{ name: 'as chosen', async: true, spin: 0, add: 0 }])
  t.like(chosen('--spin', '--async', '--add', '1'), [{ async: true, spin: 30, add: 1 }])
  t.like(chosen('--spin', '7', '--threads', '3', '--rounds', '9'), [
    { spin: 7, threads: 3, rounds: 9, seconds: undefined },
  ])
  t.like(chosen('--spin=0', '--rounds', '9', '--seconds', '.5'), [{ spin: 0, rounds: 9, seconds: 0.5 }])
  t.is(chosen('--add', '0').length, 2)
  t.deepEqual(parseArguments(['--mode', 'safe']).modes, ['safe'])
})

test('wrong arguments are named, with what would be right', (t) => {
  const wrong: [string[], RegExp][] = [
    [['--threads', '2'], /--threads must be an integer from 3 to 1024, not '2': with fewer, a thread writes/],
    [['--threads', 'many'], /--threads must be an integer from 3 to 1024, not 'many'$/],
    [['--threads', '1025'], /not '1025'$/],
    [['--rounds', '0'], /--rounds must be an integer from 1 to 1000000000, not '0'/],
    [['--rounds=-1'], /not '-1'/],
    [['--seconds', '0'], /--seconds must be a number above 0 and up to 1000000, not '0'/],
    [['--seconds', '1e3'], /not '1e3'/],
    [['--add', '2'], /--add must be 0 or 1, not '2'/],
    [['--spin', 'fast'], /--spin must be an integer from 0 to 1000000, not 'fast'/],
    [['--mode', 'wild'], /--mode must be raw, safe or both, not 'wild'/],
    [['--nonsense'], /--nonsense/],
    [['--async=yes'], /--async/],
    [['more'], /more/],
    [['--seconds'], /--seconds/],
  ]
  for (const [args, message] of wrong) {
    t.throws(() => parseArguments(args), { instanceOf: UsageError, message }, args.join(' '))
  }
})

test('a scenario is described in words', (t) => {
  t.is(
    describeScenario(scenario({ name: 'provoked', async: true, spin: 30, add: 0, rounds: 5 })),
    'provoked: 4 threads, reads with IOSQE_ASYNC, a wait of 0 to 30 µs before the cancels, writes add 0; for 5 rounds of each thread, at most 1 s',
  )
})

test('the table shows the modes side by side, and what was lost, or that nothing was', async (t) => {
  const short = scenario({ rounds: 20, seconds: undefined })
  const raw = await runScenario(short, 'raw')
  const safe = await runScenario(short, 'safe')
  const lines = formatTable([raw, safe]).split('\n')
  t.regex(lines[0] ?? '', /^ +raw +safe$/)
  t.regex(lines[1] ?? '', /^ {2}rounds +80 +80$/)
  t.true(lines.some((line) => /^ {2}conservation +held +held$/.test(line)))
  const none: Run = { ...raw, lost: new Map() }
  t.regex(describeLost(none), /^raw: lost 0 \(it depends on timing/)
  const some: Run = {
    ...raw,
    lost: new Map([
      ['-EALREADY', 3],
      ['-ENOENT', 1],
    ]),
  }
  t.regex(
    describeLost(some),
    /^raw: lost 4 reads \(3 after the answer -EALREADY, 1 after the answer -ENOENT\)/,
  )
  t.regex(formatTable([{ ...raw, verdict: 'failed' }]), /conservation +FAILED/)
})

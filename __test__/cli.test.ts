/** The command `uring-safe-cancel`, as it is called. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'

import test from 'ava'

import { sandbox } from './fixtures/programs.js'

const CLI = new URL('../dist/src/commands/cli.js', import.meta.url).pathname
/** The smallest of the package. */
const MODULE = new URL('../dist/src/native/addon/version.js', import.meta.url).pathname
const PACKAGE: { version: string; bin: Record<string, string> } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
)

interface Outcome {
  status: number | null
  stdout: string
  stderr: string
}

/** Runs the command to its end; `whileRunning` may do something to it meanwhile. */
async function run(
  args: string[],
  whileRunning: (child: ReturnType<typeof spawn>) => unknown = () => {},
  command: [string, ...string[]] = [process.execPath],
): Promise<Outcome> {
  const [program, ...prefix] = command
  const child = spawn(program, [...prefix, CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [ended, stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
    whileRunning(child),
  ])
  return { status: ended[0], stdout, stderr }
}

/** A run that prints tables has begun, and had some time for its rounds. */
async function begun(child: ReturnType<typeof spawn>, milliseconds = 1500): Promise<void> {
  if (child.stdout !== null) await once(child.stdout, 'data')
  await delay(milliseconds)
}

test('the package has the command', (t) => {
  t.is(PACKAGE.bin['uring-safe-cancel'], 'dist/src/commands/cli.js')
  t.true(readFileSync(CLI, 'utf8').startsWith('#!/usr/bin/env node\n'))
})

test('--help and --version answer, with and without a command', async (t) => {
  for (const args of [['--help'], ['-h']]) {
    const { status, stdout } = await run(args)
    t.is(status, 0)
    t.regex(stdout, /Commands:\n {2}doctor .+\n {2}stress /)
    t.regex(stdout, /Exit status:\n {2}0 /)
  }
  const help = await run(['stress', '--help'])
  t.is(help.status, 0)
  for (const option of [
    '--mode',
    '--threads',
    '--seconds',
    '--rounds',
    '--add',
    '--async',
    '--spin',
    '--json',
  ]) {
    t.true(help.stdout.includes(`  ${option}`), option)
  }
  t.regex(help.stdout, /Exit status:\n {2}0 /)
  for (const args of [['--version'], ['stress', '--version']]) {
    t.is((await run(args)).stdout, `${PACKAGE.version}\n`)
  }
})

test('wrong usage: exit status 64, and a message that says what would be right', async (t) => {
  const wrong: [string[], RegExp][] = [
    [[], /a command is missing: doctor or stress/],
    [['dance'], /'dance' is no command: there are doctor and stress/],
    [['constructor'], /'constructor' is no command/],
    [['stress', '--threads', '2'], /--threads must be an integer from 3 to 1024, not '2'/],
    [['stress', '--nonsense'], /--nonsense/],
  ]
  for (const [args, message] of wrong) {
    const { status, stdout, stderr } = await run(args)
    t.is(status, 64, args.join(' '))
    t.is(stdout, '')
    t.regex(stderr, message)
    const command = args[0] === 'stress' ? ' stress' : ''
    t.true(stderr.endsWith(`\nTry uring-safe-cancel${command} --help\n`), stderr)
  }
})

test('both scenarios in both modes are printed as tables', async (t) => {
  const { status, stdout, stderr } = await run(['stress', '--rounds', '200'])
  t.is(status, 0, stderr)
  t.is(stderr, '')
  t.regex(stdout, /^as reported: \d+ threads, plain reads, writes add 1; for 200 rounds of each thread\n/)
  t.regex(stdout, /\nprovoked: \d+ threads, reads with IOSQE_ASYNC, .* writes add 0;/)
  t.is([...stdout.matchAll(/^ +raw +safe$/gm)].length, 2)
  t.is([...stdout.matchAll(/^ {2}conservation +held +held$/gm)].length, 2)
  t.is([...stdout.matchAll(/^ {2}raw: lost \d.*\.$/gm)].length, 2)
})

test('--json prints one document', async (t) => {
  const { status, stdout } = await run(['stress', '--rounds', '100', '--threads', '3', '--json'])
  t.is(status, 0)
  const document = JSON.parse(stdout)
  const runtime = { name: 'Node', version: process.versions.node }
  t.like(document, { version: PACKAGE.version, runtime, ok: true, interrupted: false })
  t.is(document.runs.length, 4)
  for (const found of document.runs) {
    t.like(found, { threads: 3, rounds: 300, operations: { submitted: 900, settled: 900 } })
    t.like(found, { verdict: 'held', problems: [] })
    const { reads, cancels, lost, microseconds, conservation } = found
    t.is(reads.delivered + reads.cancelled, reads.submitted)
    t.is(cancels.issued, cancels.found + cancels.notFound + cancels.already + cancels.other)
    t.is(typeof lost.count, 'number')
    t.is(typeof lost.byAnswer, 'object')
    t.true(microseconds.p50 <= microseconds.p99 && microseconds.p99 <= microseconds.max)
    t.is(conservation.added, conservation.returned + conservation.left)
    t.is(conservation.added, found.add * 300)
  }
  t.deepEqual(
    document.runs.map(({ scenario, mode }: { scenario: string; mode: string }) => `${scenario}, ${mode}`),
    ['as reported, raw', 'as reported, safe', 'provoked, raw', 'provoked, safe'],
  )
})

test('--add 0 in a mode of its own', async (t) => {
  const args = ['stress', '--seconds', '1', '--add', '0', '--mode', 'safe', '--async', '--json']
  const { status, stdout } = await run(args)
  t.is(status, 0)
  const { runs } = JSON.parse(stdout)
  t.is(runs.length, 1)
  t.like(runs[0], {
    scenario: 'as chosen',
    mode: 'safe',
    add: 0,
    async: true,
    spin: 0,
    reads: { delivered: 0 },
  })
  t.true(runs[0].rounds > 0)
})

for (const mode of ['raw', 'safe']) {
  test(`Ctrl-C in mode ${mode}: a table of what was done, and exit status 130`, async (t) => {
    const args = ['stress', '--seconds', '3600', '--async', '--spin', '--mode', mode]
    // On a loaded machine no round may be over by then: it gets more time.
    for (let milliseconds = 1500; ; milliseconds *= 2) {
      const { status, stdout, stderr } = await run(args, async (child) => {
        await begun(child, milliseconds)
        child.kill('SIGINT')
      })
      t.is(status, 130, stderr)
      t.is(stderr, 'Interrupted: this is what was done until then.\n')
      t.regex(stdout, /^ {2}conservation +held$/m)
      if (/^ {2}rounds +0$/m.test(stdout) && milliseconds < 20_000) continue
      t.regex(stdout, /^ {2}rounds +[1-9]/m)
      break
    }
  })
}

test('Ctrl-C twice ends it at once', async (t) => {
  const { status } = await run(['stress', '--seconds', '60'], async (child) => {
    await begun(child)
    child.kill('SIGINT')
    child.kill('SIGINT')
  })
  // The second one may come after the end of the first one's.
  t.true(status === null || status === 130)
})

test('a reader that goes away ends it without a complaint', async (t) => {
  const pipeline = `"${process.execPath}" "${CLI}" stress --rounds 100 | head -n 1`
  const child = spawn('sh', ['-c', pipeline], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  t.regex(stdout, /^as reported: .*\n$/)
  t.is(stderr, '')
})

test('output that cannot be written: one line, and exit status 1', async (t) => {
  for (const args of ['doctor', 'doctor --json', '--help', 'stress --rounds 10']) {
    const command = `exec "${process.execPath}" "${CLI}" ${args} > /dev/full`
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] })
    const [[status], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)])
    t.is(status, 1, args)
    t.regex(stderr, /^uring-safe-cancel: what it prints cannot be written: ENOSPC.*\n$/)
  }
})

test('without descriptors: a report, or one line that says what to do, and a status that is not 0', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const launcher = await sandbox()
  const limited = (limit: number): [string, ...string[]] => [
    launcher,
    '--nofile',
    String(limit),
    '--',
    process.execPath,
  ]
  // The least with which this Node loads a module at all.
  let least = 10
  const loads = () => {
    const [program, ...args] = [...limited(least), MODULE]
    return spawnSync(program, args, { stdio: 'ignore' }).status === 0
  }
  while (!loads() && least < 100) least += 1
  const statuses: (number | null)[] = []
  for (const extra of [1, 2, 3, 4, 6, 8, 10, 12, 14, 40]) {
    const { status, stdout, stderr } = await run(['doctor'], undefined, limited(least + extra))
    statuses.push(status)
    // Node 20 opens many modules at once, and may have too few for that; later ones open one after the other.
    if (stdout === '') {
      t.is(status, 1, stderr)
      t.regex(stderr, /^uring-safe-cancel: it needs more descriptors than .* \(ulimit -n\): .*\n$/)
    } else {
      t.is(stderr, '')
      t.is(status === 0, stdout.includes(': io_uring works here\n'))
    }
  }
  t.log(`${least} descriptors, and some: ${statuses.join()}`)
  t.not(statuses[0], 0)
  t.is(statuses.at(-1), 0)
})

test('without io_uring: why, what to do, and exit status 2', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const launcher = [await sandbox(), '--no-io-uring', process.execPath] as const
  const { status, stdout, stderr } = await run(['stress'], undefined, [...launcher])
  t.is(status, 2, stderr)
  t.is(stdout, '')
  t.regex(stderr, /^io_uring is not available here: .+ \(EPERM\); .+allow io_uring_setup.+\n$/)
})

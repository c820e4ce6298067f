/** An ordinary user makes and closes rings in turn: the kernel counts those just closed against his limit of locked memory. */
import test from 'ava'

import { publicCopies, runProgram } from '../fixtures/programs.js'

const HEAD = `
  import { Worker } from 'node:worker_threads'
  import { Ring, eventfd } from 'uring-safe-cancel'
  const say = (words) => console.log(JSON.stringify(words))
`

const IN_TURN = `
  const failures = []
  let [worst, count] = [0, 0]
  for (; count < Number(process.env.COUNT) && failures.length === 0; count += 1) {
    const begun = performance.now()
    try {
      const ring = new Ring(JSON.parse(process.env.OPTIONS))
      worst = Math.max(worst, performance.now() - begun)
      await ring.nop()
      await ring.close()
    } catch (error) { failures.push(count + ': ' + error.message) }
  }
  say({ count, failures, worst: Math.round(worst) })`

const SUPPORTED = `
  const answers = {}
  for (let count = 0; count < Number(process.env.COUNT); count += 1) {
    const answer = Ring.isSupported()
    answers[answer] = (answers[answer] ?? 0) + 1
  }
  say(answers)`

const IN_WORKERS = `
  const body = \`
    import('uring-safe-cancel').then(async ({ Ring, eventfd }) => {
      for (let count = 0; count < 8; count += 1) await new Ring().close()
      const ring = new Ring()
      ring.read(eventfd(), { length: 8 }).catch(() => {})
      await ring.nop()
      // It ends with its ring open, and a read in flight.
      process.exit(7)
    }).catch((error) => { console.error(error); process.exit(8) })\`
  const codes = {}
  for (let count = 0; count < Number(process.env.COUNT); count += 1) {
    const code = await new Promise((resolve) => new Worker(body, { eval: true, execArgv: [] }).once('exit', resolve))
    codes[code] = (codes[code] ?? 0) + 1
  }
  say(codes)`

/** A user of each program's own: what others of the same user lock, or have just locked, would count. */
let users = 60_000 + (process.pid % 500) * 8

test('one ring after the other, by an ordinary user: there is always room for the next', async (t) => {
  t.timeout(600_000, 'thousands of rings, each of which may wait for those before')
  const { home, launcher, node, remove } = await publicCopies()
  t.teardown(remove)
  const run = async (code: string, kibibytes: number, count: number, options = {}) => {
    const user = process.getuid?.() === 0 ? ['--uid', String((users += 1))] : []
    const { status, output, errors } = await runProgram(HEAD + code, {
      launcher: [launcher, '--memlock', String(kibibytes << 10), ...user, '--'],
      home,
      node,
      env: { COUNT: String(count), OPTIONS: JSON.stringify(options) },
    })
    t.is(status, 0, errors)
    t.log(`-l ${kibibytes}: ${output.trim()}`)
    return JSON.parse(output) as Record<string, unknown>
  }
  const [small, few] = [{ entries: 8, completionEntries: 16 }, 100]
  t.like(await run(IN_TURN, 8192, 1000), { count: 1000, failures: [] })
  t.like(await run(IN_TURN, 64, 1000, small), { count: 1000, failures: [] })
  // The largest that fits, and there is never room for two.
  t.like(await run(IN_TURN, 64, few), { count: few, failures: [] })
  t.deepEqual(await run(SUPPORTED, 64, few), { true: few })
  // Each takes some tenths of a second.
  const workers = 20
  t.deepEqual(await run(IN_WORKERS, 64, workers), { 7: workers })
})

/** Storms of signals with operations in flight: none is lost, and EINTR never comes through. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import test from 'ava'

import { runProgram } from '../fixtures/programs.js'
import { directoryFor } from '../helpers.js'

/** So many signals are to arrive; they come as fast as a process can send them. */
const SIGNALS = 15_000

const PROGRAM = `
  import { spawn } from 'node:child_process'
  import { openSync, writeSync } from 'node:fs'
  import { eventfd, pipe, Ring, CANCELLED } from 'uring-safe-cancel'
  const ring = new Ring()
  const seen = { SIGUSR2: 0, SIGALRM: 0, SIGWINCH: 0 }
  for (const name of Object.keys(seen)) process.on(name, () => (seen[name] += 1))
  const signals = () => Object.values(seen).reduce((sum, count) => sum + count, 0)
  const script = 'while kill -USR2 $0 && kill -ALRM $0 && kill -WINCH $0; do :; done 2>/dev/null'
  const storm = spawn('sh', ['-c', script, String(process.pid)], { stdio: 'ignore' })

  // What hangs through all of it.
  const silent = pipe()
  const hung = Array.from({ length: 500 }, (_, index) => ring.read(silent.readFd, { length: 8, async: index % 2 === 0, onCancel: 'resolve' }))
  const sleeping = ring.sleep(3_600_000, { onCancel: 'resolve' })

  // What is counted: each write adds one, and each read takes what is there, or is cancelled.
  const event = eventfd()
  const file = openSync(process.env.LARGE_FILE)
  const one = new BigUint64Array([1n])
  let [added, taken, cancelled, expired, rounds] = [0n, 0n, 0, 0, 0]
  const wrong = new Set()
  const isOver = () => signals() >= ${SIGNALS} && cancelled > 0 && taken > 0n
  const work = async (index) => {
    for (let round = index; !isOver(); round += 1) {
      const isAsync = { async: round % 2 === 0 }
      const read = ring.read(event, { length: 8, onCancel: 'resolve', ...isAsync })
      if (round % 3 === 0) { await ring.write(event, one, isAsync); added += 1n }
      const [{ outcome }, got, plain, nap, poll, opened] = await Promise.all([
        ring.cancel(read), read,
        ring.read(file, Buffer.alloc(70_000), { position: 4096 * (round % 100), ...isAsync }),
        ring.sleep(0.05 * (round % 5), { timeout: 3_600_000 }).then(() => 'slept', (error) => error.code),
        ring.poll(file, 1), ring.open('/dev/null'),
      ])
      if ((outcome === 'cancelled') !== (got === CANCELLED)) wrong.add(outcome)
      if (got === CANCELLED) cancelled += 1
      else taken += got.buffer.readBigUInt64LE()
      if (plain.bytesRead !== 70_000) wrong.add('short: ' + plain.bytesRead)
      if (nap !== 'slept') wrong.add('sleep: ' + nap)
      if (poll !== 1) wrong.add('poll: ' + poll)
      await ring.closeFd(opened)
      const late = await ring.read(silent.readFd, { length: 8, timeout: 0.2 }).catch((error) => error.code)
      if (late !== 'TIMEOUT_ERR') wrong.add('timeout: ' + late)
      else expired += 1
      rounds += 1
    }
  }
  const failures = (await Promise.allSettled(Array.from({ length: 8 }, (_, index) => work(index)))).flatMap(({ reason }) => reason === undefined ? [] : [String(reason)])
  storm.kill('SIGKILL')
  writeSync(event, new BigUint64Array([1n]))
  const left = (await ring.read(event, { length: 8 })).buffer.readBigUInt64LE() - 1n
  const { submitted, completed, inFlight } = ring.stats()
  const conserved = { operations: submitted - completed === inFlight, bytes: taken + left === added, hung: inFlight === 501 }
  await ring.destroy()
  const ends = new Set(await Promise.all([...hung, sleeping]))
  console.log(JSON.stringify({ failures, wrong: [...wrong], conserved, ends: ends.size === 1 && ends.has(CANCELLED) }))
  console.log(signals(), 'signals,', rounds, 'rounds,', cancelled, 'cancelled,', expired, 'timed out')
  process.exit()`

for (const waker of ['', 'thread']) {
  test(`signals without end${waker === '' ? '' : ', with the waker thread'}: all is conserved, and no EINTR`, async (t) => {
    t.timeout(120_000, 'a storm')
    const large = join(directoryFor(t), 'large')
    writeFileSync(large, Buffer.alloc(1 << 20))
    const { status, signal, output, errors } = await runProgram(PROGRAM, {
      env: { URING_SAFE_CANCEL_WAKER: waker, LARGE_FILE: large },
    })
    t.deepEqual({ status, signal, errors }, { status: 0, signal: null, errors: '' }, output)
    const [result = '', figures = ''] = output.split('\n')
    t.deepEqual(JSON.parse(result), {
      failures: [],
      wrong: [],
      conserved: { operations: true, bytes: true, hung: true },
      ends: true,
    })
    t.log(figures)
  })
}

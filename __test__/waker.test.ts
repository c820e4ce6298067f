/** The waker of runtimes without libuv, forced in Node: it must do everything that libuv's does. */
import { randomFillSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import test from 'ava'

import { runProgram, sandbox } from './fixtures/programs.js'
import { directoryFor, STARVED_MILLISECONDS } from './helpers.js'

const env = { URING_SAFE_CANCEL_WAKER: 'thread' }

const HEAD = `
  import { Ring, eventfd, pipe } from 'uring-safe-cancel'
  import { readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs'
  import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
  import { Worker } from 'node:worker_threads'
  // Who waited for the kernel to let go would hang.
  const ring = new Ring({ drainTimeout: 3_600_000 })
  const { readFd, writeFd } = pipe()
  const descriptors = () => readdirSync('/proc/self/fd').length
  const threads = () => readdirSync('/proc/self/task').map((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8').trim())
  const fate = (promise) => promise.then(() => 'resolved', (error) => error.code)
`

/** Runs a program with the waker thread: what it printed, and its status. */
async function run(code: string, more: Record<string, string> = {}): Promise<string> {
  const { output, errors, status, signal } = await runProgram(`${HEAD} ${code}`, { env: { ...env, ...more } })
  return `${output}${errors}${signal ?? status}`
}

test('the thread is there, one for all rings, and only where it was asked for', async (t) => {
  const code = `
    const other = new Ring()
    await Promise.all([ring.sleep(5), other.sleep(5)])
    console.log(threads().filter((name) => name === 'uring-waker').length)
    process.exit()`
  t.is(await run(code), '1\n0')
  const { output } = await runProgram(`${HEAD} ${code}`, { env: { URING_SAFE_CANCEL_WAKER: '' } })
  t.is(output, '0\n')
})

test('read, write, cancel, timeout, poll, sleep, open, close, large copies: as with libuv', async (t) => {
  const large = join(directoryFor(t), 'large')
  writeFileSync(large, randomFillSync(Buffer.alloc(3 << 20)))
  const words = await run(
    `
    const reading = ring.read(readFd, { length: 5 })
    await delay(10)
    await ring.write(writeFd, 'hello')
    console.log((await reading).buffer.toString())
    const hung = ring.read(readFd, { length: 5 })
    await delay(10)
    console.log((await ring.cancel(hung)).outcome, await fate(hung))
    console.log(await fate(ring.read(readFd, { timeout: 10 })), await fate(ring.read(readFd, { signal: AbortSignal.timeout(10) })))
    console.log(await ring.poll(writeFd, 4))
    const start = performance.now()
    await ring.sleep(50)
    console.log(performance.now() - start >= 49)
    const file = await ring.open(process.env.LARGE_FILE)
    const [{ bytesRead }, large] = await Promise.all([
      ring.read(file, { position: 0 }),
      ring.read(file, Buffer.alloc(3 << 20), { position: 0 }),
    ])
    const expected = Buffer.alloc(3 << 20)
    readSync(file, expected, 0, expected.length, 0)
    console.log(bytesRead, large.bytesRead, large.buffer.equals(expected))
    await ring.closeFd(file)
    const many = await Promise.all(Array.from({ length: 20_000 }, () => ring.nop()))
    console.log(many.length)
    const all = Array.from({ length: 10_000 }, () => ring.read(readFd, { length: 8, async: true, onCancel: 'resolve' }))
    await delay(10)
    console.log(await ring.cancelAll())
    await Promise.all(all)
    await ring.destroy()
    console.log(await fate(ring.nop()))`,
    { LARGE_FILE: large },
  )
  const expected = [
    'hello',
    'cancelled ABORT_ERR',
    'TIMEOUT_ERR ABORT_ERR',
    '4',
    'true',
    '16384 3145728 true',
    '20000',
    '10000',
    'ERR_RING_CLOSED',
    '0',
  ]
  t.is(words, expected.join('\n'))
})

test('no wake-up is lost over 10,000 writes of another thread to a pipe', async (t) => {
  // Both directions: each side sleeps in its event loop until the other's byte comes.
  const body = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Ring } = require('uring-safe-cancel')
    const ring = new Ring()
    void (async () => {
      const [readFd, writeFd, rounds] = workerData
      for (let round = 0; round < rounds; round += 1) {
        await ring.read(readFd, { length: 1 })
        await ring.write(writeFd, 'x')
      }
      await ring.destroy()
    })()`
  const words = await run(`
    const back = pipe()
    const worker = new Worker(${JSON.stringify(body)}, { eval: true, execArgv: [], workerData: [readFd, back.writeFd, 10_000] })
    let done = 0
    const watch = setInterval(() => {
      if (done === watch.seen) { console.log('nothing came for 20 seconds after', done); process.exit(1) }
      watch.seen = done
    }, 20_000)
    for (; done < 10_000; done += 1) {
      await ring.write(writeFd, 'x')
      await ring.read(back.readFd, { length: 1 })
    }
    clearInterval(watch)
    console.log(done)`)
  t.is(words, '10000\n0')
})

test('no wake-up is lost over 10,000 writes that come while the ring settles others', async (t) => {
  const body = `
    const { workerData: [writeFd, count] } = require('node:worker_threads')
    const { writeSync } = require('node:fs')
    const bytes = Buffer.alloc(1)
    for (let n = 0; n < count; n += 1) {
      writeSync(writeFd, bytes)
      for (const end = performance.now() + Math.random() * 0.05; performance.now() < end; );
    }`
  const words = await run(`
    new Worker(${JSON.stringify(body)}, { eval: true, execArgv: [], workerData: [writeFd, 10_000] })
    let isDone = false
    const traffic = (async () => { while (!isDone) { await ring.nop(); if (Math.random() < 0.1) await turn() } })()
    let got = 0
    while (got < 10_000) {
      const reads = Array.from({ length: 4 }, () => ring.read(readFd, { length: 1, timeout: 2000 }))
      for (const { status, value } of await Promise.allSettled(reads)) if (status === 'fulfilled') got += value.bytesRead
    }
    isDone = true
    await traffic
    console.log(got)`)
  t.is(words, '10000\n0')
})

test('timers fire, and other work goes on, while operations settle without end', async (t) => {
  const words = await run(`
    let fired = 0
    const timer = setInterval(() => (fired += 1), 1)
    // A timer that starves never fires; how often one fires in a time is the machine's choice.
    const end = performance.now() + ${STARVED_MILLISECONDS}
    while (fired < 50 && performance.now() < end) await ring.nop()
    clearInterval(timer)
    console.log(fired >= 50 || fired)`)
  t.is(words, 'true\n0')
})

test('ref and unref: a process stays while an operation is pending, and while none is it ends', async (t) => {
  const programs: Record<string, [string, string]> = {
    'nothing pending': [`await ring.nop()`, '0'],
    'never used': [``, '0'],
    'a sleep': [`await ring.sleep(100); console.log('slept')`, 'slept\n0'],
    'unref with a read pending': [`ring.read(readFd); ring.unref()`, '0'],
    'unref before the read': [`ring.unref(); ring.read(readFd)`, '0'],
    'ref after unref': [
      `ring.unref(); ring.sleep(50).then(() => console.log('slept')); ring.ref()`,
      'slept\n0',
    ],
    'a timeout only': [`console.log(await fate(ring.read(readFd, { timeout: 50 })))`, 'TIMEOUT_ERR\n0'],
    'the last result comes with another flush': [
      `const reading = ring.read(readFd, { length: 1 }); await delay(20)
       // A busy loop in which the waker cannot deliver: the flush of the nop finds the read's result.
       setTimeout(async () => {
         await ring.write(writeFd, 'x')
         for (const end = performance.now() + 20; performance.now() < end; );
         await ring.nop()
       }, 10)
       await reading
       console.log('read')`,
      'read\n0',
    ],
    'a closing ring': [`ring.sleep(50).then(() => console.log('slept')); ring.close()`, 'slept\n0'],
    'an operation after a pause': [
      `await ring.nop(); await delay(50); await ring.sleep(50); console.log('slept')`,
      'slept\n0',
    ],
  }
  for (const [name, [code, expected]] of Object.entries(programs)) {
    t.is(await run(code), expected, name)
  }
})

const BUSY = `
  const fds = Array.from({ length: 10 }, () => eventfd())
  for (let n = 0; n < 1000; n += 1) ring.read(fds[n % 10], { length: 8, async: n % 2 === 0 }).catch(() => {})
  await delay(20)
  console.log('busy')
`

test('process: it ends at once, and with the right status, with 1,000 operations in flight', async (t) => {
  const ends: Record<string, [code: string, expected: RegExp]> = {
    'process.exit': [`process.exit(3)`, /^busy\n3$/],
    'an uncaught exception': [
      `setImmediate(() => { throw new Error('uncaught') }); await delay(9999)`,
      /^busy\n[^]*uncaught[^]*1$/,
    ],
    SIGTERM: [`process.kill(process.pid, 'SIGTERM'); await delay(9999)`, /^busy\nSIGTERM$/],
    'nothing left, by unref': [`ring.unref()`, /^busy\n0$/],
    'nothing left, by destroy': [`await ring.destroy()`, /^busy\n0$/],
  }
  for (const [name, [code, expected]] of Object.entries(ends)) {
    t.regex(await run(`${BUSY} ${code}`), expected, name)
  }
})

/** A worker's program with a thousand reads in flight. */
function busyWith(code: string): string {
  return `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Ring } = require('uring-safe-cancel')
    const ring = new Ring({ drainTimeout: 3_600_000 })
    for (let n = 0; n < 1000; n += 1) ring.read(workerData, { length: 8, async: n % 2 === 0 }).catch(() => {})
    ring.nop().then(() => { parentPort.postMessage('busy'); ${code} })`
}

test('worker: terminate, and its own end, with operations in flight or traffic, leave nothing and hurt nobody', async (t) => {
  const traffic = `const go = () => { for (let n = 0; n < 64; n += 1) void ring.nop().then(n === 0 ? go : undefined) }; go()`
  const bodies = ['', traffic, 'void ring.close()', 'ring.unref()'].map(busyWith)
  const words = await run(`
    const end = async (body) => {
      const worker = new Worker(body, { eval: true, execArgv: [], workerData: readFd })
      await new Promise((resolve) => worker.once('message', resolve))
      await worker.terminate()
    }
    await end(${JSON.stringify(bodies[0])})
    const before = descriptors()
    for (let round = 0; round < 5; round += 1) {
      for (const body of ${JSON.stringify(bodies)}) await Promise.all([end(body), ring.sleep(1)])
    }
    console.log(descriptors() - before, await fate(ring.nop()))`)
  t.is(words, '0 resolved\n0')
})

test('rings that come and go leave no descriptor and no thread', async (t) => {
  const words = await run(`
    await ring.nop()
    const [before, running] = [descriptors(), threads().length]
    for (let count = 0; count < 300; count += 1) {
      const other = new Ring()
      const reading = other.read(readFd, { length: 1, onCancel: 'resolve' })
      if (count % 3 !== 0) await other.sleep(0.1)
      if (count % 2 === 0) other.close()
      await other.destroy()
      await reading
    }
    console.log(descriptors() - before, threads().length - running)`)
  t.is(words, '0 0\n0')
})

test('EMFILE: without a descriptor for the thread, the error says so, and later there is one', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  // A program of its own: no ring, and no thread, before the descriptors are gone.
  const code = `
    import { closeSync, openSync } from 'node:fs'
    import { Ring, eventfd } from 'uring-safe-cancel'
    closeSync(eventfd())
    const taken = []
    try { for (;;) taken.push(openSync('/dev/null')) } catch {}
    const words = new Set()
    for (let free = 0; free < 6; free += 1) {
      try {
        const ring = new Ring()
        await ring.sleep(1)
        await ring.destroy()
        words.add('made')
      } catch (error) { words.add([error.code, error.errno].join()) }
      closeSync(taken.pop())
    }
    for (const fd of taken) closeSync(fd)
    const ring = new Ring()
    await ring.sleep(1)
    await ring.destroy()
    console.log([...words].join(' '))`
  const launcher = [await sandbox(), '--nofile', '64', '--']
  const { output, errors, status } = await runProgram(code, { launcher, env })
  t.is(`${output}${errors}${status}`, 'ERR_IO_URING_UNAVAILABLE,-24 made\n0')
})

import { createHook } from 'node:async_hooks'
import { openSync, writeFileSync, writeSync } from 'node:fs'
import { getEventListeners, once } from 'node:events'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { transferableAbortController } from 'node:util'
import { Worker } from 'node:worker_threads'

import test, { type ExecutionContext } from 'ava'
import { AbortError, eventfd, InvalidStateError, pipe, Ring } from 'uring-safe-cancel'

import { publicCopies, runProgram, sandbox } from './fixtures/programs.js'
import { silentFile } from './silent-fuse.js'
import {
  STARVED_MILLISECONDS,
  Ticker,
  closeAfter,
  collectGarbage,
  directoryFor,
  fate,
  fileFor,
  openDescriptors,
  ringFor,
  until,
} from './helpers.js'

/** Both ends of a pipe that go with the test. */
function pipeFor(t: ExecutionContext): { readFd: number; writeFd: number } {
  const ends = pipe()
  closeAfter(t, ends.readFd, ends.writeFd)
  return ends
}

/** An eventfd that goes with the test. Its reads wait. */
function eventfdFor(t: ExecutionContext, initial = 0): number {
  const fd = eventfd(initial)
  closeAfter(t, fd)
  return fd
}

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length
}

/** How many of these promises settled in which way. */
async function fates(promises: Promise<unknown>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const word of await Promise.all(promises.map(fate))) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

/** Every operation that takes a signal, on a descriptor where it would wait. */
function everyOperation(ring: Ring, fd: number, signal: AbortSignal): Record<string, Promise<unknown>> {
  return {
    read: ring.read(fd, { length: 8, signal }),
    'read into': ring.read(fd, Buffer.alloc(8), { signal }),
    'read into core memory': ring.read(fd, ring.alloc(8), 0, 8, null, { signal }),
    readv: ring.readv(fd, [Buffer.alloc(8)], null, { signal }),
    poll: ring.poll(fd, 1, { signal }),
    sleep: ring.sleep(60_000, { signal }),
  }
}

// Signals.

test('signal: aborted before the call, nothing is submitted', async (t) => {
  const ring = ringFor(t)
  const fd = eventfdFor(t)
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  const operations = {
    ...everyOperation(ring, fd, signal),
    write: ring.write(fd, 'x', { signal }),
    writev: ring.writev(fd, [Buffer.alloc(8)], null, { signal }),
    nop: ring.nop({ signal }),
    open: ring.open('/dev/null', 'r', 0, { signal }),
    fsync: ring.fsync(fd, { signal }),
    fdatasync: ring.fdatasync(fd, { signal }),
  }
  const settled = await Promise.allSettled(Object.values(operations))
  settled.forEach((result, index) => {
    const error: unknown = result.status === 'rejected' ? result.reason : undefined
    const name = Object.keys(operations)[index]
    t.true(error instanceof AbortError, name)
    t.like(error, { name: 'AbortError', code: 'ABORT_ERR', cause: reason }, name)
  })
  t.is(ring.stats().submitted, 0)
  t.is(listeners(signal), 0)
})

test('signal: aborted during, everything on it is cancelled, with the reason for a cause', async (t) => {
  const ring = ringFor(t)
  const fd = eventfdFor(t)
  for (const reason of [new Error('enough'), 'a word', null]) {
    const controller = new AbortController()
    const { signal } = controller
    const operations = everyOperation(ring, fd, signal)
    await ring.nop()
    controller.abort(reason)
    t.is(listeners(signal), 0, 'at once')
    for (const [name, operation] of Object.entries(operations)) {
      const error = await t.throwsAsync(operation, { instanceOf: AbortError, code: 'ABORT_ERR' }, name)
      t.is(error?.cause, reason, name)
      t.is(error?.message, 'The operation was aborted')
    }
  }
  t.is(ring.stats().inFlight, 0)
})

test('signal: aborted after, the result stands', async (t) => {
  const ring = ringFor(t)
  const controller = new AbortController()
  const { signal } = controller
  const reading = ring.read(fileFor(t, 'content'), { signal })
  await ring.nop()
  controller.abort()
  t.is((await reading).bytesRead, 7)
  t.is(ring.stats().cancelAttempts, 0)
})

test('signal: one listener however many operations and rings, and none is left behind by any end', async (t) => {
  const ring = ringFor(t)
  const other = ringFor(t)
  const fd = eventfdFor(t)
  const { signal } = new AbortController()
  const reads = Array.from({ length: 1000 }, (_, index) =>
    (index % 2 === 0 ? ring : other).read(fd, Buffer.alloc(8), { signal }),
  )
  t.is(listeners(signal), 1)
  await ring.nop()
  t.is(listeners(signal), 1)
  await Promise.all([ring.cancelAll(), other.cancelAll()])
  t.deepEqual(await fates(reads), { ABORT_ERR: 1000 })
  t.is(listeners(signal), 0, 'cancelled by the ring')

  const ends: Record<string, () => Promise<unknown>> = {
    completed: () => ring.nop({ signal }),
    failed: () => ring.read(fileFor(t, ''), Buffer.alloc(1), { signal, position: 0 }),
    'failed by the kernel': () => ring.fsync(fd, { signal }),
    'refused by its arguments': () => ring.read(-1, { signal }),
    'refused for its descriptor': () => ring.read(1_000_000, { signal, async: true }),
    'timed out': () => ring.read(fd, { length: 8, signal, timeout: 1 }),
    resolved: () => ring.read(fd, { length: 8, signal, timeout: 1, onCancel: 'resolve' }),
    copied: () => ring.read(openLarge(t), Buffer.alloc(3 << 20), { signal }),
  }
  for (const [name, begin] of Object.entries(ends)) {
    await fate(begin())
    t.is(listeners(signal), 0, name)
  }
  const small = new Ring({ entries: 8, completionEntries: 16, queueLimit: 0 })
  const some = Array.from({ length: 20 }, () => small.read(fd, Buffer.alloc(8), { signal }))
  await small.destroy()
  t.deepEqual(await fates(some), { ABORT_ERR: 12, ERR_RING_QUEUE_FULL: 8 })
  t.is(listeners(signal), 0, 'a destroyed ring')
})

test('signal: AbortSignal.timeout and AbortSignal.any', async (t) => {
  const ring = ringFor(t)
  const fd = eventfdFor(t)
  const timed = await t.throwsAsync(ring.read(fd, { length: 8, signal: AbortSignal.timeout(5) }))
  t.like(timed, { code: 'ABORT_ERR' })
  t.like(timed?.cause, { name: 'TimeoutError' })
  const controller = new AbortController()
  const any = AbortSignal.any([controller.signal, AbortSignal.timeout(60_000)])
  const reading = ring.read(fd, { length: 8, signal: any })
  collectGarbage()
  controller.abort('any')
  t.like(await t.throwsAsync(reading), { code: 'ABORT_ERR', cause: 'any' })
})

test('signal: a transferable one cancels in another thread', async (t) => {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Ring, eventfd } = require('uring-safe-cancel')
    const ring = new Ring()
    const fd = eventfd()
    parentPort.once('message', async (signal) => {
      const reads = Array.from({ length: 100 }, () => ring.read(fd, { length: 8, signal }))
      await ring.nop()
      parentPort.postMessage('reading')
      const results = await Promise.allSettled(reads)
      const codes = new Set(results.map(({ reason }) => reason?.code + ': ' + reason?.cause))
      await ring.destroy()
      parentPort.postMessage([...codes].join())
      parentPort.close()
    })`
  const worker = new Worker(code, { eval: true })
  const controller = transferableAbortController()
  // From now on: a worker that ends at once may do so before its last message has been awaited.
  const exit = new Promise((resolve) => worker.once('exit', resolve))
  worker.postMessage(controller.signal, [controller.signal as never])
  t.is((await once(worker, 'message'))[0], 'reading')
  controller.abort('from afar')
  t.is((await once(worker, 'message'))[0], 'ABORT_ERR: from afar')
  t.is(await exit, 0)
})

const HEAD = `
  import { Ring, eventfd, pipe } from 'uring-safe-cancel'
  import { setTimeout as delay } from 'node:timers/promises'
  // Who waited for the kernel to let go would hang.
  const ring = new Ring({ drainTimeout: 3_600_000 })
  const fd = eventfd()
`

test('unhandled rejections: none by what the ring was asked for, and one by anything else, as in Node', async (t) => {
  const none: Record<string, string> = {
    cancel: `const reading = ring.read(fd); await ring.cancel(reading)`,
    'cancel, twice': `const reading = ring.read(fd); ring.cancel(reading); await ring.cancel(reading)`,
    'cancel of what waits': `const reads = Array.from({ length: 5000 }, () => ring.read(fd, Buffer.alloc(8)))
      await Promise.all(reads.map((read) => ring.cancel(read)))`,
    cancelFd: `ring.read(fd); await ring.cancelFd(fd)`,
    cancelAll: `ring.read(fd); await ring.cancelAll()`,
    closeFd: `ring.read(fd); await ring.closeFd(fd)`,
    destroy: `ring.read(fd); await ring.destroy(new Error('enough'))`,
    'onCancel: resolve': `ring.read(fd, { timeout: 1, onCancel: 'resolve' }); await delay(50)`,
  }
  for (const [name, code] of Object.entries(none)) {
    const { status, output, errors } = await runProgram(`${HEAD} ${code}; console.log('end')`)
    t.is(`${output}${errors}${status}`, 'end\n0', name)
  }
  const one: Record<string, [string, string]> = {
    'a signal': [`ring.read(fd, { signal: AbortSignal.timeout(10) })`, 'ABORT_ERR'],
    'a signal aborted before': [`ring.read(fd, { signal: AbortSignal.abort() })`, 'ABORT_ERR'],
    'a timeout': [`ring.read(fd, { timeout: 10 })`, 'TIMEOUT_ERR'],
    'an argument': [`ring.read('3')`, 'ERR_INVALID_ARG_TYPE'],
    'a failure that cancelAll waited for': [
      `const { openSync } = await import('node:fs'); ring.read(openSync('/dev/null', 'w')); await ring.cancelAll(); await delay(100)`,
      'EBADF',
    ],
  }
  for (const [name, [code, word]] of Object.entries(one)) {
    const { status, output, errors } = await runProgram(
      `${HEAD} ${code}; await delay(15_000); console.log('end')`,
    )
    t.is(`${output}${status}`, '1', name)
    t.true(errors.includes(word), `${name}: ${errors}`)
  }
})

// Much at once.

test('100,000 nops at once', async (t) => {
  const ring = ringFor(t)
  const nops = Array.from({ length: 100_000 }, () => ring.nop())
  t.deepEqual(await fates(nops), { resolved: 100_000 })
  t.like(ring.stats(), { submitted: 100_000, completed: 100_000, inFlight: 0, queued: 0 })
})

test('100,000 reads of one file at once give each its own bytes, and take no descriptor each', async (t) => {
  const ring = ringFor(t)
  const numbers = Buffer.alloc(400_000)
  for (let index = 0; index < 100_000; index += 1) numbers.writeUInt32LE(index, 4 * index)
  const fd = fileFor(t, numbers)
  const before = openDescriptors().length
  for (const isOwn of [true, false]) {
    const reads = Array.from({ length: 100_000 }, (_, index) => {
      const position = 4 * index
      return isOwn ? ring.read(fd, Buffer.alloc(4), { position }) : ring.read(fd, { length: 4, position })
    })
    t.true(openDescriptors().length < before + 10)
    const results = await Promise.all(reads)
    const wrong = results.filter(
      ({ bytesRead, buffer }, index) => bytesRead !== 4 || buffer.readUInt32LE() !== index,
    )
    t.is(wrong.length, 0)
  }
})

test('100,000 reads of one eventfd at once, which nothing ever fills, can be cancelled', async (t) => {
  const ring = ringFor(t)
  const fd = eventfdFor(t)
  const reads = Array.from({ length: 100_000 }, () => ring.read(fd, Buffer.alloc(8)))
  await ring.nop({ timeout: 20 }).catch(() => {})
  t.is(await ring.cancelAll(), 100_000)
  t.deepEqual(await fates(reads), { ABORT_ERR: 100_000 })
  t.like(ring.stats(), { inFlight: 0, queued: 0, arenaHeld: 0 })
})

test('queueLimit: what does not fit is refused, with an error that names it, and nothing else is', async (t) => {
  const ring = ringFor(t, { entries: 8, completionEntries: 16, queueLimit: 10 })
  const fd = eventfdFor(t)
  const reads = Array.from({ length: 40 }, () => ring.read(fd, Buffer.alloc(8)))
  t.like(ring.stats(), { submitted: 22 })
  const refused = await Promise.allSettled(reads.slice(22))
  for (const result of refused) {
    const error: unknown = result.status === 'rejected' ? result.reason : undefined
    t.like(error, { code: 'ERR_RING_QUEUE_FULL' })
    t.regex(String(error), /queueLimit/)
  }
  await ring.nop().then(
    () => t.fail(),
    (error: unknown) => t.like(error, { code: 'ERR_RING_QUEUE_FULL' }),
  )
  t.is(await ring.cancelAll(), 22)
  t.deepEqual(await fates(reads), { ABORT_ERR: 22, ERR_RING_QUEUE_FULL: 18 })
  await ring.nop()
})

test('arenaBytes: what does not fit is refused, with an error that names it, and the ring goes on', async (t) => {
  const ring = ringFor(t, { arenaBytes: 1 << 20 })
  const large = openLarge(t)
  t.throws(() => ring.alloc(2 << 20), { code: 'ERR_RING_ARENA_FULL', message: /arenaBytes/ })
  for (const begin of [
    () => ring.read(large, Buffer.alloc(2 << 20), { position: 0 }),
    () => ring.read(large, { length: 2 << 20, position: 0 }),
    () => ring.readv(large, [Buffer.alloc(2 << 20)], 0),
    () => ring.write(large, Buffer.alloc(2 << 20), { position: 0 }),
    () => ring.writev(large, [Buffer.alloc(2 << 20)], 0),
  ]) {
    await t.throwsAsync(begin(), { code: 'ERR_RING_ARENA_FULL', message: /arenaBytes/ })
  }
  const kept = Array.from({ length: 3 }, () => ring.alloc(200_000))
  t.throws(() => ring.alloc(300_000), { code: 'ERR_RING_ARENA_FULL' })
  t.is((await ring.read(large, { length: 1000, position: 0 })).bytesRead, 1000)
  t.is(kept.length, 3)
})

test('arenaBytes: garbage never keeps a read from its memory', async (t) => {
  const small = ringFor(t, { arenaBytes: 1 << 20 })
  const fd = openLarge(t)
  for (let count = 0; count < 5000; count += 1) {
    const { bytesRead, buffer } = await small.read(fd, { length: 16_384, position: 4096 })
    if (bytesRead !== 16_384 || buffer[7] !== 1) t.fail()
  }
  const ring = ringFor(t)
  const ticker = new Ticker()
  const end = performance.now() + STARVED_MILLISECONDS
  for (let count = 0; count < 700 || (ticker.fired < 40 && performance.now() < end); count += 1) {
    await ring.read(fd, { length: 3 << 20, position: 0 })
  }
  ticker.stop()
  t.true(ticker.fired >= 40, `timers fire between large reads: ${ticker.fired}`)
})

/** A file of three mebibytes, in each of whose pages every byte is the page's number modulo 256. */
function openLarge(t: ExecutionContext): number {
  const path = join(directoryFor(t), 'large')
  writeFileSync(path, largeContent())
  const fd = openSync(path, 'r+')
  closeAfter(t, fd)
  return fd
}

function largeContent(): Buffer {
  const content = Buffer.alloc(3 << 20)
  for (let page = 0; page < content.length / 4096; page += 1)
    content.fill(page, page * 4096, (page + 1) * 4096)
  return content
}

// The end of a ring.

const AFTER_THE_END: Record<string, (ring: Ring) => Promise<unknown>> = {
  read: (ring) => ring.read(0),
  'read into': (ring) => ring.read(0, Buffer.alloc(8)),
  write: (ring) => ring.write(1, 'text'),
  readv: (ring) => ring.readv(0, [Buffer.alloc(8)]),
  writev: (ring) => ring.writev(1, [Buffer.alloc(8)]),
  nop: (ring) => ring.nop(),
  poll: (ring) => ring.poll(0, 1),
  sleep: (ring) => ring.sleep(1),
  open: (ring) => ring.open('/dev/null'),
  fsync: (ring) => ring.fsync(0),
  fdatasync: (ring) => ring.fdatasync(0),
}

test('a ring after, and during, close and destroy takes no operation, and says so', async (t) => {
  for (const how of ['close', 'destroy'] as const) {
    const ring = new Ring()
    const { readFd, writeFd } = pipeFor(t)
    const reading = ring.read(readFd, { length: 1 })
    const ending = ring[how]()
    t.true(ring.closed)
    for (const when of ['during', 'after']) {
      for (const [name, begin] of Object.entries(AFTER_THE_END)) {
        await t.throwsAsync(
          begin(ring),
          { code: 'ERR_RING_CLOSED', message: /closed or destroyed/ },
          `${name} ${when} ${how}`,
        )
      }
      if (when === 'during') {
        if (how === 'close') writeSync(writeFd, 'x')
        await ending
      }
    }
    t.is(await fate(reading), how === 'close' ? 'resolved' : 'ABORT_ERR')
    t.throws(() => ring.alloc(8), { code: 'ERR_RING_CLOSED' })
    t.is(await ring.cancelAll(), 0)
    t.is(await ring.cancelFd(0), 0)
    t.like(await ring.cancel(reading), { outcome: how === 'close' ? 'completed' : 'cancelled' })
    t.is(ring.ref(), ring)
    t.is(ring.unref(), ring)
    t.like(ring.stats(), { submitted: 1, completed: 1, inFlight: 0 })
    await Promise.all([ring.close(), ring.destroy(), ring.destroy(), ring.close()])
  }
})

test('close during a cancel, destroy during a close, and either during the other, at any moment', async (t) => {
  const fd = eventfdFor(t)
  const orders = [
    ['cancel', 'close'],
    ['close', 'cancel'],
    ['cancel', 'destroy'],
    ['destroy', 'cancel'],
    ['close', 'destroy'],
    ['destroy', 'close'],
    ['cancel', 'close', 'destroy'],
    ['close', 'cancel', 'destroy', 'close'],
  ] as const
  for (const order of orders) {
    for (const gap of ['none', 'microtask', 'turn']) {
      const ring = new Ring({ entries: 8, completionEntries: 16 })
      const isAsync = { async: true }
      const reads = Array.from({ length: 40 }, () => ring.read(fd, Buffer.alloc(8), isAsync))
      const pending: Promise<unknown>[] = []
      for (const step of order) {
        if (step === 'cancel') pending.push(...reads.map((read) => ring.cancel(read)))
        else pending.push(ring[step]())
        if (gap === 'microtask') await Promise.resolve()
        if (gap === 'turn') await turn()
      }
      await Promise.all(pending)
      t.deepEqual(await fates(reads), { ABORT_ERR: 40 }, `${order.join()} with ${gap}`)
    }
  }
})

test("a 'stuck' listener that throws keeps no report from the others", async (t) => {
  t.timeout(120_000, 'the filesystem is built')
  const ring = new Ring({ drainTimeout: 300, cancel: { stuckAfter: 100 } })
  const fds: number[] = []
  const files = [await silentFile(t), await silentFile(t), await silentFile(t)]
  for (const { path } of files) fds.push(openSync(path, 'r'))
  closeAfter(t, ...fds)
  const others = process.rawListeners('uncaughtException') as NodeJS.UncaughtExceptionListener[]
  process.removeAllListeners('uncaughtException')
  t.teardown(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of others) process.on('uncaughtException', listener)
  })
  const thrown: string[] = []
  process.on('uncaughtException', (error) => thrown.push(error.message))
  ring.on('stuck', ({ fd }) => {
    throw new Error(`stuck: ${fd}`)
  })
  const ends = fates(fds.map((fd) => ring.read(fd, { length: 4096, position: 0, async: true })))
  await Promise.all(files.map(({ read }) => read()))
  void ring.cancelAll()
  await until(() => thrown.length >= 3)
  t.is(ring.stats().stuck, 3)
  t.deepEqual(
    fds.filter((fd) => thrown.includes(`stuck: ${fd}`)),
    fds,
  )
  t.is(thrown.length, 3)
  await ring.destroy()
  t.deepEqual(await ends, { ERR_OPERATION_STUCK: 3 })
})

test('who submits does not wait for a server to say what kind of file it is', async (t) => {
  t.timeout(120_000, 'the filesystem is built')
  const ring = new Ring({ drainTimeout: 300 })
  const { path, read } = await silentFile(t, 'slow')
  const fd = openSync(path, 'r')
  closeAfter(t, fd)
  // The second one at the current position has to know whether the first one moves that.
  const reads = [ring.read(fd, { async: true })]
  await read()
  const begun = performance.now()
  reads.push(ring.read(fd))
  const milliseconds = performance.now() - begun
  t.true(milliseconds < 1000, `the call took ${milliseconds} ms`)
  t.like(ring.stats(), { inFlight: 1, queued: 1 })
  const ends = fates(reads)
  await ring.destroy()
  t.deepEqual(await ends, { ABORT_ERR: 1, ERR_OPERATION_STUCK: 1 })
})

test('rings that are made and closed without a turn of the event loop leave no descriptor', async (t) => {
  const before = openDescriptors().length
  for (let count = 0; count < 100; count += 1) {
    const ring = new Ring({ entries: 8, completionEntries: 16 })
    if (count % 2 === 0) await ring.nop()
    await (count % 3 === 0 ? ring.close() : ring.destroy())
  }
  t.true(openDescriptors().length <= before + 1)
})

// The end of a thread, and of the process.

const BUSY = `
  ${HEAD}
  const fds = Array.from({ length: 10 }, () => eventfd())
  const reads = Array.from({ length: 1000 }, (_, index) => ring.read(fds[index % 10], { length: 8, async: index % 2 === 0 }))
  for (const read of reads) read.catch(() => {})
  await delay(20)
  console.log('busy')
`

test('process: it ends at once, and with the right status, with 1,000 operations in flight', async (t) => {
  const ends: Record<string, [string, number | null, NodeJS.Signals | null]> = {
    'process.exit': [`process.exit(3)`, 3, null],
    'an uncaught exception': [
      `setImmediate(() => { throw new Error('uncaught') }); await delay(9999)`,
      1,
      null,
    ],
    SIGTERM: [`process.kill(process.pid, 'SIGTERM'); await delay(9999)`, null, 'SIGTERM'],
    SIGKILL: [`process.kill(process.pid, 'SIGKILL'); await delay(9999)`, null, 'SIGKILL'],
    'an exit handler that uses the ring': [
      `process.on('exit', () => { ring.nop().catch(() => {}); ring.destroy(); ring.cancelAll() }); process.exit(4)`,
      4,
      null,
    ],
    'nothing left, by unref': [`ring.unref()`, 0, null],
    'nothing left, by destroy': [`await ring.destroy()`, 0, null],
    'an exception while a ring closes': [`ring.destroy(); throw new Error('uncaught')`, 1, null],
  }
  for (const [name, [code, status, signal]] of Object.entries(ends)) {
    const ended = await runProgram(`${BUSY} ${code}`)
    t.is(ended.output, 'busy\n', ended.errors)
    t.is(ended.status, status, `${name}: ${ended.errors}`)
    t.is(ended.signal, signal, name)
  }
})

test('worker: terminate and process.exit in it end it at once, with 1,000 operations in flight', async (t) => {
  // CommonJS has no top-level await, and eval no modules.
  const body = BUSY.replace(/import \{(.*)\} from ('.*')/g, (_, names: string, from: string) => {
    return `const {${names.replaceAll(' as ', ': ')}} = require(${from})`
  }).replace(`console.log('busy')`, `require('node:worker_threads').parentPort.postMessage('busy')`)
  const before = openDescriptors().length
  const traffic = `const go = () => { for (let n = 0; n < 64; n += 1) void ring.nop().then(n === 0 ? go : undefined) }; go()`
  const ends: Record<string, [code: string, status: number | 'terminate']> = {
    idle: ['', 'terminate'],
    'with traffic': [traffic, 'terminate'],
    'closing meanwhile': ['void ring.close()', 'terminate'],
    'destroyed meanwhile': ['void ring.destroy()', 'terminate'],
    'in a busy loop': ['setImmediate(() => { for (;;); })', 'terminate'],
    'process.exit': ['setImmediate(() => process.exit(5))', 5],
    'an exception': [`setImmediate(() => { throw new Error('uncaught') })`, 1],
    'nothing left': ['ring.unref()', 0],
  }
  for (const [name, [code, status]] of Object.entries(ends)) {
    for (let round = 0; round < 3; round += 1) {
      const worker = new Worker(`void (async () => { ${body}; ${code} })()`, { eval: true })
      worker.on('error', () => {})
      const exit = new Promise<number>((resolve) => worker.once('exit', resolve))
      await new Promise((resolve) => worker.once('message', resolve))
      if (status === 'terminate') await worker.terminate()
      const actual = await exit
      if (status !== 'terminate') t.is(actual, status, name)
    }
  }
  // Its eventfds are the process's, and stay. A ring, or a duplicate, would be one more.
  const left = openDescriptors().length - before
  t.is(left, 11 * 3 * Object.keys(ends).length)
})

test('worker: one that ends while its main thread uses the same descriptors disturbs nobody', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipeFor(t)
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Ring } = require('uring-safe-cancel')
    const ring = new Ring()
    const reads = Array.from({ length: 100 }, () => ring.read(workerData, { length: 1 }))
    for (const read of reads) read.catch(() => {})
    ring.nop().then(() => parentPort.postMessage('reading'))`
  const worker = new Worker(code, { eval: true, workerData: readFd })
  await once(worker, 'message')
  const reading = ring.read(readFd, { length: 5 })
  await ring.nop()
  await worker.terminate()
  writeSync(writeFd, 'hello')
  t.is((await reading).buffer.toString(), 'hello')
})

test('ref and unref: a process stays while an operation is pending, and while none is it ends', async (t) => {
  const stays = await runProgram(`${HEAD} const { bytesRead } = await ring.read(0); console.log(bytesRead)`, {
    env: {},
    launcher: ['sh', '-c', '(sleep 0.3; printf hello) | "$@"', 'sh'],
  })
  t.is(`${stays.output}${stays.errors}${stays.status}`, '5\n0')
  const programs: Record<string, [string, string]> = {
    'nothing pending': [`await ring.nop()`, '0'],
    'unref with a read pending': [`ring.read(fd); ring.unref()`, '0'],
    'unref before the read': [`ring.unref(); ring.read(fd)`, '0'],
    'ref after unref': [
      `ring.unref(); ring.sleep(50).then(() => console.log('slept')); ring.ref()`,
      'slept\n0',
    ],
    'cancelled from a timer': [
      `const reading = ring.read(fd); setTimeout(() => ring.cancel(reading), 50); await reading.catch((e) => console.log(e.code))`,
      'ABORT_ERR\n0',
    ],
    'a timeout only': [
      `await ring.read(fd, { timeout: 50 }).catch((e) => console.log(e.code))`,
      'TIMEOUT_ERR\n0',
    ],
    'a closing ring': [`ring.sleep(50).then(() => console.log('slept')); ring.close()`, 'slept\n0'],
    'a second ring': [
      `const other = new Ring(); ring.unref(); ring.read(fd); await other.sleep(50); console.log('slept')`,
      'slept\n0',
    ],
    // Node's own status for a top-level await that nothing will ever settle.
    'an await that unref leaves alone': [`ring.unref(); await ring.read(fd)`, '13'],
  }
  for (const [name, [code, expected]] of Object.entries(programs)) {
    const { output, status } = await runProgram(`${HEAD} ${code}`)
    t.is(`${output}${status}`, expected, name)
  }
})

// Memory under an operation's feet.

interface Transferred {
  bytes: NodeJS.ArrayBufferView
  drop: () => unknown
}

const Resizable = ArrayBuffer as unknown as new (
  n: number,
  o: { maxByteLength: number },
) => ArrayBuffer & {
  resize(length: number): void
}

const LOST: Record<string, (size: number) => Transferred> = {
  'transferred by structuredClone': (size) => {
    const bytes = new Uint8Array(size)
    return { bytes, drop: () => structuredClone(bytes.buffer, { transfer: [bytes.buffer] }) }
  },
  'transferred to another port': (size) => {
    const bytes = new Uint16Array(size / 2)
    const { port1 } = new MessageChannel()
    return {
      bytes,
      drop: () => {
        port1.postMessage(bytes, [bytes.buffer])
        port1.close()
      },
    }
  },
  shrunk: (size) => {
    const buffer = new Resizable(size, { maxByteLength: size })
    return { bytes: new Uint8Array(buffer), drop: () => buffer.resize(size / 2 - 1) }
  },
  'shrunk to nothing, with a view of fixed length': (size) => {
    const buffer = new Resizable(size, { maxByteLength: size })
    return { bytes: new DataView(buffer, 0, size), drop: () => buffer.resize(0) }
  },
}

/** Fills what the allocator may hand out next. */
function scribble(): void {
  collectGarbage()
  for (let count = 0; count < 64; count += 1) new Uint8Array(65_536).fill(0xee)
  collectGarbage()
}

test('buffer: lost while its read is in flight, the error carries the bytes', async (t) => {
  const ring = ringFor(t)
  for (const [name, make] of Object.entries(LOST)) {
    for (const isVector of [false, true]) {
      const { readFd, writeFd } = pipeFor(t)
      const { bytes, drop } = make(64)
      const tail = Buffer.alloc(8)
      const reading = isVector ? ring.readv(readFd, [bytes, tail]) : ring.read(readFd, bytes)
      await ring.nop()
      drop()
      scribble()
      const text = 'x'.repeat(60) + (isVector ? '-and-the-tail' : '')
      writeSync(writeFd, text)
      const error = await t.throwsAsync(
        reading,
        { instanceOf: InvalidStateError, code: 'ERR_INVALID_STATE' },
        name,
      )
      const expected = text.slice(0, isVector ? 72 : 64)
      t.is(error?.bytesRead, expected.length, name)
      t.is(error?.data.toString(), expected, name)
      t.like(await ring.cancel(reading), { outcome: 'failed' })
    }
  }
  t.is(ring.stats().inFlight, 0)
})

test('buffer: lost while a large result is copied in pieces, the error carries all of it', async (t) => {
  const ring = ringFor(t)
  const fd = openLarge(t)
  const content = largeContent()
  for (const [name, make] of Object.entries(LOST)) {
    const { bytes, drop } = make(content.length)
    const reading = ring.read(fd, bytes, { position: 0 })
    await ring.nop()
    await turn()
    drop()
    scribble()
    const error = await t.throwsAsync(reading, { instanceOf: InvalidStateError }, name)
    t.is(error?.bytesRead, content.length)
    t.true(error?.data.equals(content), name)
  }
})

test('buffer: shrunk or grown, but with room for the bytes that came, it gets them', async (t) => {
  const ring = ringFor(t)
  for (const size of [8, 60, 128]) {
    const { readFd, writeFd } = pipeFor(t)
    const buffer = new Resizable(64, { maxByteLength: 128 })
    const reading = ring.read(readFd, new Uint8Array(buffer))
    await ring.nop()
    buffer.resize(size)
    writeSync(writeFd, 'content!')
    t.is((await reading).bytesRead, 8)
    t.is(Buffer.from(buffer, 0, 8).toString(), 'content!')
  }
})

test('buffer: the source of a write may be lost at once', async (t) => {
  const ring = ringFor(t)
  for (const [name, make] of Object.entries(LOST)) {
    const { readFd, writeFd } = pipeFor(t)
    const { bytes, drop } = make(64)
    Buffer.from(bytes.buffer).fill('content!')
    const writing = ring.write(writeFd, bytes)
    const vectored = ring.writev(writeFd, [bytes])
    drop()
    scribble()
    await Promise.all([writing, vectored])
    t.is((await ring.read(readFd, { length: 128 })).buffer.toString(), 'content!'.repeat(16), name)
  }
})

test('buffer: core memory outlives what JavaScript does with it, and dropping it', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipeFor(t)
  // Node refuses to transfer it, or clones it; a ring goes on either way.
  for (const make of [
    () => ring.alloc(64),
    async () => (await ring.read(openLarge(t), { length: 64 })).buffer,
  ]) {
    const buffer = await make()
    const reading = ring.read(readFd, buffer, { length: 8 })
    await ring.nop()
    try {
      structuredClone(buffer.buffer, { transfer: [buffer.buffer as ArrayBuffer] })
    } catch (error) {
      t.like(error, { name: 'DataCloneError' })
    }
    writeSync(writeFd, 'content!')
    const word = await fate(reading)
    t.true(word === 'resolved' || word === 'ERR_INVALID_STATE', word)
    t.is((await ring.read(openLarge(t), { length: 64 })).bytesRead, 64)
  }
  const held = ring.stats().arenaHeld
  for (let count = 0; count < 1000; count += 1) void ring.read(readFd, ring.alloc(64), { length: 1 })
  await ring.nop()
  scribble()
  await turn()
  t.true(ring.stats().arenaHeld >= held + 1000 * 64, 'the kernel may still write to it')
  writeSync(writeFd, Buffer.alloc(1000))
  while (ring.stats().inFlight > 0) await ring.sleep(1)
  await until(() => {
    collectGarbage()
    return ring.stats().arenaHeld <= held
  }, 'and then it is free')
})

test('promises: dropped with their operations in flight, these end all the same', async (t) => {
  const ring = ringFor(t)
  const fd = eventfdFor(t)
  for (let count = 0; count < 10_000; count += 1) void ring.read(fd, Buffer.alloc(8))
  await ring.nop({ timeout: 5 }).catch(() => {})
  scribble()
  await turn()
  scribble()
  t.like(ring.stats(), { submitted: 10_001, completed: 1 })
  t.is(await ring.cancelAll(), 10_000)
  t.like(ring.stats(), { completed: 10_001, inFlight: 0, queued: 0, arenaHeld: 0 })
})

// Hosts.

interface Host {
  supported: boolean
  probe: { code?: string; reason?: string; remedy?: string }
  error: { code?: string; message?: string; errno?: number; reason?: string; remedy?: string }
}

const ASK = `
  import { Ring } from 'uring-safe-cancel'
  const error = await (async () => {
    const ring = new Ring()
    await ring.nop()
    await ring.cancel(ring.sleep(1000))
    await ring.destroy()
  })().catch((error) => ({ message: error.message, ...error }))
  console.log(JSON.stringify({ supported: Ring.isSupported(), probe: Ring.probe(), error: error ?? {} }))
`

test('io_uring forbidden by seccomp, or not in the kernel: importing works, and the rest says what to do', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const launcher = await sandbox()
  for (const waker of ['', 'thread']) {
    for (const [errno, code, words, remedy] of [
      ['EPERM', 'EPERM', /may not use it/, /seccomp/],
      [
        'ENOSYS',
        'ENOSYS',
        /answers ENOSYS, and a seccomp filter/,
        /allow io_uring_setup, .+ in the seccomp filter/,
      ],
    ] as const) {
      const ended = await runProgram(ASK, {
        launcher: [launcher, '--io-uring-errno', errno, '--'],
        env: { URING_SAFE_CANCEL_WAKER: waker },
      })
      t.is(ended.status, 0, ended.errors)
      const host = JSON.parse(ended.output) as Host
      t.false(host.supported)
      t.is(host.probe.code, code)
      t.regex(String(host.probe.reason), words)
      t.regex(String(host.probe.remedy), remedy)
      t.like(host.error, { code: 'ERR_IO_URING_UNAVAILABLE', errno: errno === 'EPERM' ? -1 : -38 })
      t.regex(String(host.error.reason), words)
      t.regex(String(host.error.remedy), remedy)
      t.regex(String(host.error.message), words)
      t.regex(String(host.error.message), remedy)
    }
  }
})

test('EMFILE: no descriptor is left for a ring, a pipe, an eventfd or a duplicate, and then there is', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const code = `
    import { closeSync, openSync } from 'node:fs'
    import { Ring, eventfd, pipe } from 'uring-safe-cancel'
    const ring = new Ring({ entries: 8, completionEntries: 16 })
    const event = eventfd()
    const zero = openSync('/dev/zero')
    const taken = []
    const word = (begin) => { try { begin(); return 'made' } catch (error) { return [error.code, error.syscall ?? error.errno].join() } }
    const fate = (promise) => promise.then(() => 'resolved', (error) => error.message)
    try { for (;;) taken.push(openSync('/dev/null')) } catch {}
    const first = {
      ring: word(() => new Ring()), probe: Ring.probe().code, supported: Ring.isSupported(),
      pipe: word(() => pipe()), eventfd: word(() => eventfd()),
      open: await fate(ring.open('/dev/null')),
      async: await fate(ring.read(zero, { async: true })),
      plain: await fate(ring.read(zero, Buffer.alloc(8))),
    }
    const hung = Array.from({ length: 12 }, () => ring.read(event, { length: 8 }))
    const queued = await fate(ring.read(zero, Buffer.alloc(8)))
    const queuedNop = ring.nop()
    await ring.cancelAll()
    closeSync(taken.pop())
    closeSync(taken.pop())
    const second = {
      queued, queuedNop: await fate(queuedNop), hung: await fate(hung[0]),
      open: await fate(ring.open('/dev/null')), async: await fate(ring.read(zero, { async: true })),
    }
    for (const fd of taken) closeSync(fd)
    const third = new Ring()
    await Promise.all([third.destroy(), ring.destroy()])
    console.log(JSON.stringify({ ...first, again: second }))`
  const { status, output, errors } = await runProgram(code, {
    launcher: [await sandbox(), '--nofile', '64', '--'],
  })
  t.is(status, 0, errors)
  t.deepEqual(JSON.parse(output), {
    ring: 'ERR_IO_URING_UNAVAILABLE,-24',
    probe: 'EMFILE',
    supported: false,
    pipe: 'EMFILE,pipe2',
    eventfd: 'EMFILE,eventfd',
    open: "EMFILE: too many open files, open '/dev/null'",
    async: 'EMFILE: too many open files, read',
    plain: 'resolved',
    again: {
      queued: 'EMFILE: too many open files, read',
      queuedNop: 'The operation was aborted',
      hung: 'The operation was aborted',
      open: 'resolved',
      async: 'resolved',
    },
  })
})

test('RLIMIT_MEMLOCK = 0 without privileges: a ring with fewer entries, or an error that says what to do', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const { home, launcher, node, remove } = await publicCopies()
  t.teardown(remove)
  // Root is bound by no such limit. Who is not root already has no privileges.
  const user = process.getuid?.() === 0 ? ['--uid', '65534'] : []
  const ask = async (limit: string[]): Promise<Host> => {
    const ended = await runProgram(ASK, { home, node, launcher: [launcher, ...limit, ...user, '--'] })
    t.is(ended.status, 0, ended.errors)
    return JSON.parse(ended.output) as Host
  }
  t.like(await ask([]), { supported: true, error: {} })
  const { supported, probe, error } = await ask(['--memlock', '0'])
  if (supported) {
    // Linux 5.12 to 6.13 count the rings' memory against the control group only.
    t.deepEqual(error, {})
  } else {
    t.like(probe, { code: 'ENOMEM' })
    t.regex(String(probe.remedy), /ulimit -l/)
    t.like(error, { code: 'ERR_IO_URING_UNAVAILABLE', errno: -12 })
    t.regex(String(error.message), /limit of locked memory/)
  }
  // Less than the default queues take, and enough for smaller ones.
  t.like(await ask(['--memlock', '65536']), { supported: true, error: {} })
})

test('clause 1, once: a hook that runs while a promise is made may call the ring', async (t) => {
  const ring = ringFor(t)
  let inner: Promise<void> | undefined
  let isArmed = true
  const hook = createHook({
    init(_id, type) {
      if (type !== 'PROMISE' || !isArmed) return
      isArmed = false
      inner = ring.nop()
    },
  }).enable()
  const outer = ring.nop()
  hook.disable()
  await outer
  await inner
  t.not(inner, undefined)
  t.like(ring.stats(), { submitted: 2, completed: 2 })
})

test('clause 1, once: bytes that lost their place and find no other fail the read, and no other', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, Buffer.alloc(8 << 20, 'x'))
  const lost = Buffer.alloc(8 << 20)
  const kept = Buffer.alloc(4 << 20)
  const reads = [ring.read(fd, lost, { position: 0 }), ring.read(fd, kept, { position: 0 })]
  const alloc = Object.getOwnPropertyDescriptor(Buffer, 'alloc') ?? {}
  const restore = () => Object.defineProperty(Buffer, 'alloc', alloc)
  t.teardown(restore)
  await turn()
  structuredClone(lost.buffer, { transfer: [lost.buffer] })
  Buffer.alloc = () => {
    throw new RangeError('Array buffer allocation failed')
  }
  const [first, second] = await Promise.allSettled(reads)
  restore()
  t.like(first, { status: 'rejected', reason: { message: 'Array buffer allocation failed' } })
  t.like(second, { status: 'fulfilled', value: { bytesRead: kept.byteLength } })
  await ring.close()
})

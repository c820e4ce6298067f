/** How operations and descriptors end: closeFd in every state of a ring, cancels that cost what they cancel, odd signals. */
import { existsSync, fstatSync } from 'node:fs'
import { open } from 'node:fs/promises'

import test from 'ava'
import { AbortError, CANCELLED, eventfd, pipe, Ring } from 'uring-safe-cancel'

import { sorted } from '../scripts/common/sorted.js'
import { runProgram } from './fixtures/programs.js'
import { closeAfter, collectGarbage, fate, ringFor } from './helpers.js'

function isOpen(fd: number): boolean {
  return existsSync(`/proc/self/fd/${fd}`)
}

const STATES: Record<string, (ring: Ring) => unknown> = {
  open: () => {},
  closing: (ring) => void ring.close(),
  closed: (ring) => ring.close(),
  destroying: (ring) => void ring.destroy(),
  destroyed: (ring) => ring.destroy(),
}

for (const [state, bring] of Object.entries(STATES)) {
  test(`closeFd closes on a ring that is ${state}, and hides no AbortError`, async (t) => {
    const ring = ringFor(t, { drainTimeout: 100 })
    const hung = eventfd()
    closeAfter(t, hung)
    // What is closing or destroying must have something to wait for.
    const waiting =
      state === 'closing' || state === 'destroying' ? ring.sleep(200, { onCancel: 'resolve' }) : undefined
    const { readFd, writeFd } = pipe()
    await bring(ring)
    t.is(await fate(ring.closeFd(readFd)), 'resolved')
    t.false(isOpen(readFd))
    await ring.closeFd({ fd: writeFd })
    t.false(isOpen(writeFd))
    const handle = await open('/dev/null')
    const { fd } = handle
    await ring.closeFd(handle)
    t.false(isOpen(fd))
    // What close(2) says, as always.
    await t.throwsAsync(ring.closeFd(1_000_000), {
      code: 'EBADF',
      message: 'EBADF: bad file descriptor, close',
    })
    await t.throwsAsync(ring.closeFd({ fd: -1 }), {
      code: 'EBADF',
      message: 'EBADF: bad file descriptor, close',
    })
    await waiting
  })
}

test('try { read } finally { closeFd } rejects with the AbortError and leaves no descriptor when the ring is destroyed', async (t) => {
  const ring = new Ring()
  const { readFd, writeFd } = pipe()
  closeAfter(t, writeFd)
  const reading = (async () => {
    try {
      return await ring.read(readFd)
    } finally {
      await ring.closeFd(readFd)
    }
  })()
  const thrown = t.throwsAsync(reading, { instanceOf: AbortError })
  await ring.nop()
  await ring.destroy()
  await thrown
  t.false(isOpen(readFd))
})

test('a queue without room never refuses closeFd', async (t) => {
  const ring = ringFor(t, { completionEntries: 8, entries: 4, queueLimit: 2 })
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const reads = Array.from({ length: 8 }, () => fate(ring.read(readFd)))
  const other = pipe()
  await ring.closeFd(other.readFd)
  await ring.closeFd(other.writeFd)
  t.false(isOpen(other.readFd) || isOpen(other.writeFd))
  await ring.cancelAll()
  t.true((await Promise.all(reads)).includes('ERR_RING_QUEUE_FULL'))
})

/** Counts how often anybody asks the operation of a promise of what kind it is, which every look at it does. */
function watchLooks(promise: Promise<unknown>, looked: () => void): void {
  const key = Object.getOwnPropertySymbols(promise).find(
    ({ description }) => description === 'uring-safe-cancel.operation',
  )
  const operation: unknown = key === undefined ? undefined : Reflect.get(promise, key)
  if (typeof operation !== 'object' || operation === null) throw new Error('a promise of no ring')
  const kind: unknown = Reflect.get(operation, 'kind')
  Object.defineProperty(operation, 'kind', {
    get: () => {
      looked()
      return kind
    },
  })
}

test('closeFd and cancelFd look at the operations on their descriptor, and at each other one once in its life', async (t) => {
  const ring = ringFor(t)
  const others = pipe()
  closeAfter(t, others.readFd, others.writeFd)
  let looks = 0
  const bystanders = Array.from({ length: 200 }, () => {
    const promise = ring.read(others.readFd, { onCancel: 'resolve' })
    watchLooks(promise, () => (looks += 1))
    return promise
  })
  for (let count = 0; count < 100; count += 1) {
    const { readFd, writeFd } = pipe()
    const reading = ring.read(readFd, { onCancel: 'resolve' })
    t.is(await ring.cancelFd(writeFd), 0)
    if (count % 2 === 0) t.is(await ring.cancelFd(readFd), 1)
    await ring.closeFd(readFd)
    t.is(await reading, CANCELLED)
    await ring.closeFd(writeFd)
  }
  t.is(looks, bystanders.length)
  // They are found, whoever they were sorted by: the number, an object with it, and the object that was closed meanwhile.
  const holder = { fd: others.readFd }
  const held = ring.read(holder, { onCancel: 'resolve' })
  holder.fd = -1
  t.is(await ring.cancelFd(holder), 1)
  t.is(await held, CANCELLED)
  t.is(await ring.cancelFd({ fd: others.readFd }), bystanders.length)
  t.true((await Promise.all(bystanders)).every((result) => result === CANCELLED))
})

test('cancelFd and cancelAll find every operation once, in any order of begin, cancel and end', async (t) => {
  const ring = ringFor(t)
  const fds = Array.from({ length: 5 }, () => eventfd())
  closeAfter(t, ...fds)
  const pending = new Map<number, Set<Promise<unknown>>>(fds.map((fd) => [fd, new Set()]))
  let seed = 3
  const random = (below: number) => (seed = (seed * 48_271) % 0x7fff_ffff) % below
  for (let step = 0; step < 3000; step += 1) {
    const fd = fds[random(fds.length)] ?? -1
    const mine = pending.get(fd) ?? new Set()
    switch (random(12)) {
      case 0:
        t.is(await ring.cancelFd(random(2) === 0 ? fd : { fd }), mine.size)
        mine.clear()
        break
      case 1: {
        const [first] = mine
        if (first === undefined) break
        t.like(await ring.cancel(first), { outcome: 'cancelled' })
        mine.delete(first)
        break
      }
      case 2:
        if (random(10) > 0) break
        t.is(
          await ring.cancelAll(),
          [...pending.values()].reduce((sum, { size }) => sum + size, 0),
        )
        for (const set of pending.values()) set.clear()
        break
      default:
        mine.add(ring.read(random(2) === 0 ? fd : { fd }, { length: 8, onCancel: 'resolve' }))
    }
  }
  t.is(
    await ring.cancelAll(),
    [...pending.values()].reduce((sum, { size }) => sum + size, 0),
  )
  t.like(ring.stats(), { inFlight: 0, queued: 0 })
})

// Before the others, whose memory would count as this one's.
test.serial('a ring keeps next to no memory of a burst', async (t) => {
  const ring = ringFor(t)
  const once = async (count: number) => {
    await Promise.all(Array.from({ length: count }, () => ring.nop()))
  }
  await once(10_000)
  collectGarbage()
  const before = process.memoryUsage()
  await once(500_000)
  // The tables are looked at after as many operations more.
  for (let count = 0; count < 250; count += 1) await once(5000)
  collectGarbage()
  const after = process.memoryUsage()
  const kept = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
  t.log(
    `${Math.round(kept / 1024)} KiB more in JavaScript, ${Math.round((after.rss - before.rss) / 2 ** 20)} MiB in all`,
  )
  t.true(kept < 4 * 2 ** 20, `${kept} bytes of JavaScript's memory`)
})

test('a signal whose reason cannot be had cancels all the same, before the call and in it', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const controller = new AbortController()
  const { signal } = controller
  const broken = new Error('no reason')
  Object.defineProperty(signal, 'reason', {
    get: () => {
      throw broken
    },
  })
  const reads = Array.from({ length: 3 }, () => ring.read(readFd, { signal }))
  const resolving = ring.read(readFd, { signal, onCancel: 'resolve' })
  controller.abort()
  for (const reading of [...reads, ring.read(readFd, { signal })]) {
    const error = await t.throwsAsync(reading, { instanceOf: AbortError })
    t.is(error?.cause, broken)
  }
  t.is(await resolving, CANCELLED)
  t.is(await ring.read(readFd, { signal, onCancel: 'resolve' }), CANCELLED)
})

test('closeFd in a worker of what another thread, or another copy of the package, opened warns of nothing and closes once', async (t) => {
  const body = `
    const { workerData } = require('node:worker_threads')
    process.on('warning', ({ message }) => console.log('warning: ' + message))
    process.emitWarning('this one is seen')
    const { Ring, pipe } = require('uring-safe-cancel')
    void (async () => {
      const ring = new Ring()
      for (const fd of workerData) await ring.closeFd(fd)
      const after = new Ring()
      await after.destroy()
      const { readFd, writeFd } = pipe()
      await after.closeFd(readFd)
      await after.closeFd(writeFd)
      await after.closeFd(1e9).catch(({ code }) => console.log(code))
      // Its own, which node:fs knows.
      const { openSync } = require('node:fs')
      await ring.closeFd(openSync('/dev/null'))
      await new Promise((resolve) => setTimeout(resolve, 50))
      await ring.destroy()
    })()`
  const { output, errors } = await runProgram(`
    import { Worker } from 'node:worker_threads'
    import { once } from 'node:events'
    import { existsSync } from 'node:fs'
    import { pipe, eventfd } from 'uring-safe-cancel'
    const { readFd, writeFd } = pipe()
    const fds = [readFd, writeFd, eventfd()]
    await once(new Worker(${JSON.stringify(body)}, { eval: true, execArgv: [], workerData: fds }), 'exit')
    console.log(fds.filter((fd) => existsSync('/proc/self/fd/' + fd)).length)`)
  t.deepEqual(sorted(output.trim().split('\n')), ['0', 'EBADF', 'warning: this one is seen'], errors)
})

test('descriptors that were closed are not closed again when the ring ends', async (t) => {
  const ring = new Ring()
  const { readFd, writeFd } = pipe()
  await ring.closeFd(readFd)
  const next = pipe()
  closeAfter(t, writeFd, next.readFd, next.writeFd)
  await ring.destroy()
  t.notThrows(() => fstatSync(next.readFd))
})

import { closeSync, openSync } from 'node:fs'
import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import test, { type ExecutionContext } from 'ava'
import { eventfd, pipe, Ring } from 'uring-safe-cancel'

import { closeAfter, fileFor, openDescriptors, ringFor } from './helpers.js'

/** Operations of each measurement, and of each of the two halves of one. */
const OPERATIONS = 1_000_000
const HALF = OPERATIONS / 2
/** Less than 17 bytes an operation. */
const TOLERATED_BYTES = 8 << 20
/** How many operations are under way at once. */
const WIDTH = 100

/** The resident set after everything that is garbage is gone. */
async function residentBytes(): Promise<number> {
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc?.()
    // Finalizers of core memory run in a later turn.
    await turn()
    await turn()
  }
  return process.memoryUsage.rss()
}

interface Measure {
  bytes: number
  descriptors: number
}

async function measure(): Promise<Measure> {
  return { bytes: await residentBytes(), descriptors: openDescriptors().length }
}

/**
 * Checks that neither memory nor descriptors grow with what `run` does, after a warm-up. A heap may grow now and then, by as
 * much as a leak would take (V8 doubles its nursery some time, and each new thread may get an arena of malloc's); a leak
 * grows in every part.
 */
async function staysFlat(
  t: ExecutionContext,
  run: (part: 'warm-up' | 'half') => Promise<void>,
  parts = 2,
): Promise<void> {
  await run('warm-up')
  const before = await measure()
  let after = before
  const grown: number[] = []
  for (let part = 0; part < parts; part += 1) {
    await run('half')
    const now = await measure()
    grown.push(now.bytes - after.bytes)
    after = now
  }
  const words = grown.map((bytes) => (bytes / 2 ** 20).toFixed(1)).join(' and ')
  t.log(`grown by ${words} MiB`)
  t.true(Math.min(...grown) < TOLERATED_BYTES, `grown by ${words} MiB`)
  t.is(after.descriptors, before.descriptors)
}

function ignore(): void {}

/** Runs `begin` a million times, and checks that nothing grows. */
async function leavesNothing(
  t: ExecutionContext,
  ring: Ring,
  begin: (index: number) => Promise<unknown>,
): Promise<void> {
  await staysFlat(t, async (part) => {
    const count = part === 'half' ? HALF : HALF / 5
    for (let done = 0; done < count; done += WIDTH) {
      const batch = []
      for (let index = 0; index < WIDTH; index += 1) batch.push(begin(done + index))
      await Promise.all(batch)
    }
  })
  const { submitted, completed, inFlight, arenaHeld } = ring.stats()
  t.is(completed, submitted)
  t.is(inFlight, 0)
  t.true(arenaHeld < 2 << 20, `${arenaHeld} bytes of the arena are held`)
}

function zeroFor(t: ExecutionContext): number {
  const fd = openSync('/dev/zero', 'r')
  closeAfter(t, fd)
  return fd
}

function eventfdFor(t: ExecutionContext): number {
  const fd = eventfd()
  closeAfter(t, fd)
  return fd
}

test('a million nops leave nothing', async (t) => {
  const ring = ringFor(t)
  await leavesNothing(t, ring, () => ring.nop())
})

test("a million reads into the caller's buffers leave nothing", async (t) => {
  const ring = ringFor(t)
  const fd = zeroFor(t)
  await leavesNothing(t, ring, () => ring.read(fd, Buffer.allocUnsafe(512)))
})

test('a million reads without a buffer leave nothing', async (t) => {
  const ring = ringFor(t)
  const fd = zeroFor(t)
  await leavesNothing(t, ring, (index) => ring.read(fd, { length: index % 1000 === 0 ? 100_000 : 512 }))
})

test('a million writes and vectors leave nothing', async (t) => {
  const ring = ringFor(t)
  const fd = openSync('/dev/null', 'w')
  closeAfter(t, fd)
  const bytes = Buffer.alloc(600)
  const parts = [Buffer.alloc(3), ring.alloc(8)]
  await leavesNothing(t, ring, (index) => (index % 4 === 0 ? ring.writev(fd, parts) : ring.write(fd, bytes)))
})

test('a million reads, each cancelled, leave nothing', async (t) => {
  const ring = ringFor(t)
  const fd = eventfdFor(t)
  const bytes = Buffer.alloc(8)
  await leavesNothing(t, ring, () => {
    const reading = ring.read(fd, bytes, { onCancel: 'resolve' })
    return ring.cancel(reading)
  })
  t.true(ring.stats().cancelAttempts >= OPERATIONS)
})

test('a million operations on signals, aborted or not, leave nothing', async (t) => {
  const ring = ringFor(t)
  const fd = eventfdFor(t)
  const bytes = Buffer.alloc(8)
  const { signal } = new AbortController()
  await leavesNothing(t, ring, (index) => {
    if (index % 10 !== 0) return ring.nop({ signal })
    const controller = new AbortController()
    const reading = ring.read(fd, bytes, { signal: controller.signal })
    const settled = reading.then(
      () => t.fail(),
      () => {},
    )
    controller.abort()
    return settled
  })
  t.is(getEventListeners(signal, 'abort').length, 0)
})

test('a million failures and refusals leave nothing', async (t) => {
  const ring = ringFor(t)
  const fd = eventfdFor(t)
  // What costs is their stacks.
  const { stackTraceLimit } = Error
  t.teardown(() => (Error.stackTraceLimit = stackTraceLimit))
  Error.stackTraceLimit = 0
  await leavesNothing(t, ring, (index) => {
    if (index % 10 === 0) return ring.fsync(fd).catch(ignore)
    return ring.read(-1, { length: 8 }).catch(ignore)
  })
})

test('duplicates and opened descriptors are closed, whether their operations end by themselves or not', async (t) => {
  const ring = ringFor(t)
  const zero = zeroFor(t)
  const event = eventfdFor(t)
  const before = openDescriptors().length
  for (let round = 0; round < 200; round += 1) {
    const { readFd, writeFd } = pipe()
    const reads = Array.from({ length: 20 }, (_, index) =>
      ring.read(index % 2 === 0 ? readFd : event, { length: 8, async: true, onCancel: 'resolve' }),
    )
    const opening = Array.from({ length: 20 }, (_, index) =>
      ring.open('/dev/null', index % 2, 0, { timeout: 60_000 }),
    )
    await ring.read(zero, { length: 8, async: true })
    const cancelling = opening.map((open, index) => (index % 3 === 0 ? ring.cancel(open) : undefined))
    await ring.cancelAll()
    await Promise.all([...reads, ...cancelling])
    for (const result of await Promise.allSettled(opening)) {
      if (result.status === 'fulfilled') closeSync(result.value)
    }
    await ring.closeFd(readFd)
    await ring.closeFd(writeFd)
  }
  t.is(openDescriptors().length, before)
})

test('600 rings leave nothing, with operations in flight or without', async (t) => {
  const fd = eventfdFor(t)
  const file = fileFor(t, 'content')
  await staysFlat(t, async () => {
    for (let index = 0; index < 200; index += 1) {
      const ring = new Ring()
      const reading = ring.read(fd, { length: 8, onCancel: 'resolve' })
      await ring.read(file, { position: 0 })
      ring.alloc(1 << 20).fill(1)
      await ring.destroy()
      await reading
    }
  })
})

test('rings whose results outlive them leave nothing but the results', async (t) => {
  const fd = fileFor(t, Buffer.alloc(3 << 20, 'x'))
  const into = Buffer.alloc(3 << 20)
  const results: Buffer[] = []
  await staysFlat(t, async () => {
    const ring = new Ring()
    // 60 MiB at once, which the arena would keep for what comes next.
    await Promise.all(Array.from({ length: 20 }, () => ring.read(fd, into, { position: 0 })))
    const { buffer } = await ring.read(fd, { position: 0, length: 16 })
    results.push(buffer)
    await ring.close()
  })
  t.true(results.every((buffer) => buffer.toString() === 'x'.repeat(16)))
})

test('80 workers that end with operations in flight leave nothing', async (t) => {
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { Ring } = require('uring-safe-cancel')
    const ring = new Ring()
    for (let n = 0; n < 100; n += 1) ring.read(workerData, { length: 8, async: n % 2 === 0 }).catch(() => {})
    // Held: what is collected when a thread ends, and not yet finalised, is leaked.
    globalThis.held = ring.alloc(1 << 20).fill(1)
    ring.nop().then(() => parentPort.postMessage('reading'))`
  const end = async () => {
    const worker = new Worker(code, { eval: true, workerData: readFd })
    await new Promise((resolve) => worker.once('message', resolve))
    await worker.terminate()
  }
  // A megabyte of each would be 20 in each part.
  const parts = 3
  await staysFlat(
    t,
    async () => {
      for (let count = 0; count < 20; count += 2) await Promise.all([end(), end()])
    },
    parts,
  )
})

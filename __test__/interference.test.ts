/** Programs whose own code runs in the middle of a call: getters, hooks, listeners, proxies, and clocks of tests. */
import { createHook } from 'node:async_hooks'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import test, { type ExecutionContext } from 'ava'
import { eventfd, Ring } from 'uring-safe-cancel'

import { closeAfter, directoryFor, fate, fileFor, ringFor } from './helpers.js'
import { runProgram } from './fixtures/programs.js'

function eventfdFor(t: ExecutionContext): number {
  const fd = eventfd()
  closeAfter(t, fd)
  return fd
}

/** Views of a vectored read, the first of which is got by a call of `get`. */
function viewsWith(get: () => void): Uint8Array[] {
  const views = [Buffer.alloc(8)]
  Object.defineProperty(views, 0, {
    get() {
      get()
      return Buffer.alloc(8)
    },
  })
  return views
}

test('clause 2, live: a signal that aborts while the arguments are read cancels', async (t) => {
  const ring = ringFor(t)
  const controller = new AbortController()
  const { signal } = controller
  const views = viewsWith(() => controller.abort())
  t.is(await fate(ring.readv(eventfdFor(t), views, null, { signal })), 'ABORT_ERR')
  t.is(ring.stats().inFlight, 0)
})

test('clause 2, live: cancelAll while the arguments are read cancels, and ends', async (t) => {
  const ring = ringFor(t)
  let all: Promise<number> | undefined
  const views = viewsWith(() => {
    all ??= ring.cancelAll()
  })
  const reading = fate(ring.readv(eventfdFor(t), views, null))
  t.is(await all, 1)
  t.is(await reading, 'ABORT_ERR')
})

test('clause 2, live: cancelAll while the path is read cancels, and ends', async (t) => {
  const ring = ringFor(t)
  const fifo = join(directoryFor(t), 'fifo')
  execFileSync('mkfifo', [fifo])
  let all: Promise<number> | undefined
  const path = pathToFileURL(fifo)
  const { pathname } = path
  Object.defineProperty(path, 'pathname', {
    get() {
      all ??= ring.cancelAll()
      return pathname
    },
  })
  const opening = fate(ring.open(path))
  t.is(await all, 1)
  t.is(await opening, 'ABORT_ERR')
})

test('clause 2, live: a signal that aborts in a hook while the promise is made cancels', async (t) => {
  const ring = ringFor(t)
  const fd = eventfdFor(t)
  const controller = new AbortController()
  const hook = createHook({
    init(_id, type) {
      if (type !== 'PROMISE') return
      hook.disable()
      controller.abort()
    },
  })
  hook.enable()
  const reading = ring.read(fd, { length: 8, signal: controller.signal })
  hook.disable()
  t.true(controller.signal.aborted)
  t.is(await fate(reading), 'ABORT_ERR')
})

test('clause 2, live: a listener that stops the event keeps nothing from being cancelled', async (t) => {
  const ring = ringFor(t)
  const controller = new AbortController()
  const { signal } = controller
  signal.addEventListener('abort', (event) => event.stopImmediatePropagation())
  const reading = fate(ring.read(eventfdFor(t), { length: 8, signal }))
  const sleeping = fate(ring.sleep(3_600_000, { signal }))
  await ring.nop()
  controller.abort()
  t.deepEqual(await Promise.all([reading, sleeping]), ['ABORT_ERR', 'ABORT_ERR'])
})

function programWith(before: string): string {
  return `
    import { mock } from 'node:test'
    import { openSync } from 'node:fs'
    import { Ring } from 'uring-safe-cancel'
    const ring = new Ring()
    const fd = openSync(process.execPath)
    ${before}
    const { bytesRead } = await ring.read(fd, Buffer.alloc(3 << 20), { position: 0 })
    await ring.close()
    console.log(bytesRead > 1 << 20)`
}

test('clause 1, once: large results come where a test has put a clock of its own in place of the timers', async (t) => {
  for (const before of [
    'mock.timers.enable()',
    'delete globalThis.setImmediate; delete globalThis.setTimeout',
  ]) {
    const { output, errors } = await runProgram(programWith(before), { env: { NODE_NO_WARNINGS: '1' } })
    t.is(output, 'true\n', errors)
  }
})

test('ring.cancel rejects for a proxy that lets nobody look at it', async (t) => {
  const ring = ringFor(t)
  const revocable = Proxy.revocable(Promise.resolve(), {})
  revocable.revoke()
  const throwing = new Proxy(Promise.resolve(), {
    has() {
      throw new Error('mine')
    },
  })
  for (const proxy of [revocable.proxy, throwing]) {
    const error = await t.throwsAsync(ring.cancel(proxy), { code: 'ERR_INVALID_ARG_TYPE' })
    t.regex(error?.message ?? '', /Received an /)
  }
})

test('clause 7, bounded: garbage of reads that waited for room never keeps others from their memory', async (t) => {
  const length = 64 * 1024
  const fd = fileFor(t, Buffer.alloc(length, 'x'))
  const ring = ringFor(t, { entries: 64, completionEntries: 64, arenaBytes: 32 << 20 })
  let waited = 0
  for (let batch = 0; batch < 40; batch += 1) {
    const reads = Array.from({ length: 100 }, async () => {
      const { bytesRead, buffer } = await ring.read(fd, { length, position: 0 })
      return bytesRead === length && buffer.length === length && buffer[length - 1] === 120
    })
    waited += ring.stats().queued
    t.true((await Promise.all(reads)).every(Boolean))
  }
  t.true(waited > 0)
})

test('clause 7, bounded: a ring that was closed holds no memory of what it read', async (t) => {
  const ring = new Ring()
  const fd = fileFor(t, Buffer.alloc(64 * 1024, 'x'))
  const reads = Array.from({ length: 16 }, () => ring.read(fd, Buffer.alloc(64 * 1024), { position: 0 }))
  await ring.close()
  for (const { bytesRead } of await Promise.all(reads)) t.is(bytesRead, 64 * 1024)
  t.is(ring.stats().arenaHeld, 0)
})

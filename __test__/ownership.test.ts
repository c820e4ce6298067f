/** Who owns what: descriptors that others close too, memory that travels to other threads, rings that nobody closed. */
import { once } from 'node:events'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import test from 'ava'
import { eventfd, pipe, Ring } from 'uring-safe-cancel'

import { closeAfter, collectGarbage, fate, fileFor, openDescriptors, ringFor, until } from './helpers.js'

/** Runs code in a worker until it ends. `post` sends a message to the test. */
async function inWorker(code: string): Promise<unknown> {
  const prelude = `
    const { parentPort } = require('node:worker_threads')
    const fs = require('node:fs')
    const { Ring } = require('uring-safe-cancel')
    const post = (message, transfer) => parentPort.postMessage(message, transfer)
    void (async () => {`
  const worker = new Worker(`${prelude}${code}})()`, { eval: true })
  const messages: unknown[] = []
  worker.on('message', (message) => messages.push(message))
  await once(worker, 'exit')
  return messages[0]
}

test('closeFd closes a FileHandle by the FileHandle, which would otherwise close the number again', async (t) => {
  const ring = ringFor(t)
  const handle = await open('/dev/null')
  const { fd } = handle
  await ring.closeFd(handle)
  t.is(handle.fd, -1)
  const next = openSync('/dev/zero', 'r')
  closeAfter(t, next)
  t.is(next, fd, 'the number means another file now')
  await handle.close().catch(() => {})
  t.notThrows(() => fstatSync(next))
})

test('closeFd in a worker tells node:fs, which would otherwise close the number again when the worker ends', async (t) => {
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const number = await inWorker(`
    const ring = new Ring()
    const fd = fs.openSync('/dev/null', 'r')
    await ring.closeFd(fd)
    const own = await ring.open('/dev/null')
    await ring.closeFd(own)
    await ring.destroy()
    // Whoever gets the number now must keep it.
    post(fs.readdirSync('/proc/self/fd').includes(String(fd)) ? -1 : fd)
    await new Promise((resolve) => setTimeout(resolve, 100))`)
  t.true(Number(number) > 0)
  // With the number taken while a worker ends, its end must not take it away.
  const held: number[] = []
  const ending = inWorker(`
    const ring = new Ring()
    const fd = fs.openSync('/dev/null', 'r')
    await ring.closeFd(fd)
    post(fd)
    await new Promise((resolve) => setTimeout(resolve, 200))`)
  await delay(120)
  for (let index = 0; index < 20; index += 1) held.push(eventfd())
  closeAfter(t, ...held)
  const freed = Number(await ending)
  t.log(held.includes(freed) ? 'the number was taken meanwhile' : 'the number was not taken')
  for (const fd of held) t.notThrows(() => fstatSync(fd))
})

test('closeFd of a ring that is over closes in a worker, too, and leaves the number to whoever opens it next', async (t) => {
  const messages = await inWorker(`
    const warnings = []
    process.on('warning', ({ message }) => warnings.push(message))
    const { eventfd } = await import('uring-safe-cancel')
    const [closed, ring] = [new Ring(), new Ring()]
    const fd = eventfd()
    await closed.close()
    await closed.closeFd(fd)
    const { code } = await ring.closeFd(fd).then(() => ({}), (error) => error)
    // node:fs has the number now, and hears of its close.
    const again = fs.openSync('/dev/null', 'r')
    await ring.closeFd(again)
    await ring.destroy()
    await new Promise((resolve) => setTimeout(resolve, 50))
    post([code, ...warnings])`)
  t.deepEqual(messages, ['EBADF'])
})

test('closeFd needs no room: not in the queue, and not in a ring full of hung reads', async (t) => {
  const ring = ringFor(t, { entries: 8, completionEntries: 8, queueLimit: 0 })
  const event = eventfd()
  closeAfter(t, event)
  const hung = Array.from({ length: 4 }, () => fate(ring.read(event, { length: 8 })))
  const fd = openSync('/dev/null', 'r')
  t.is(await fate(ring.read(event, { length: 8 })), 'ERR_RING_QUEUE_FULL')
  await ring.closeFd(fd)
  t.throws(() => fstatSync(fd), { code: 'EBADF' })
  await ring.cancelAll()
  t.deepEqual(new Set(await Promise.all(hung)), new Set(['ABORT_ERR']))
})

test('clause 3, memory: core memory that was transferred outlives the worker that made it', async (t) => {
  if (!('transfer' in ArrayBuffer.prototype)) {
    // Before Node 21 nothing takes the memory of such an ArrayBuffer away: transferring copies.
    const { buffer } = ringFor(t).alloc(4096)
    if (!(buffer instanceof ArrayBuffer)) throw new TypeError('not an ArrayBuffer')
    t.is(structuredClone(buffer, { transfer: [buffer] }).byteLength, 4096)
    t.is(buffer.byteLength, 4096)
    return
  }
  for (const code of [
    `const { buffer } = new Ring().alloc(1 << 20)
     new Uint8Array(buffer).fill(42)
     const moved = buffer.transfer()
     post(moved, [moved])`,
    `const ring = new Ring()
     const { buffer } = await ring.read(fs.openSync('/dev/zero'), { length: 4096 })
     buffer.fill(42)
     const moved = buffer.buffer.transfer()
     post(moved, [moved])
     await ring.destroy()`,
  ]) {
    const moved = await inWorker(code)
    if (!(moved instanceof ArrayBuffer)) throw new TypeError(String(moved))
    await delay(50)
    const bytes = new Uint8Array(moved)
    t.is(bytes[5], 42)
    bytes.fill(7)
    t.is(bytes.at(-1), 7)
  }
})

/** How many rings this process has open. */
function rings(): number {
  return openDescriptors().filter((target) => target.includes('io_uring')).length
}

test('a ring that nobody can reach any more is closed with the garbage', async (t) => {
  const before = rings()
  for (let index = 0; index < 50; index += 1) await new Ring().nop()
  t.true(rings() > before + 1)
  // The engine may still hold the last one for this function.
  await until(() => {
    globalThis.gc?.()
    return rings() <= before + 1
  })
  t.pass()
})

test('a ring that nobody can reach is kept while an operation is pending', async (t) => {
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const reading = new Ring().read(readFd, { length: 2 })
  for (let round = 0; round < 10; round += 1) {
    globalThis.gc?.()
    await delay(5)
  }
  const ring = ringFor(t)
  await ring.write(writeFd, 'ok')
  t.is((await reading).buffer.toString(), 'ok')
})

test('destroy does not wait for large results to be copied, and loses none', async (t) => {
  const ring = new Ring({ drainTimeout: 50 })
  const size = 64 << 20
  const fd = fileFor(t, Buffer.alloc(size, 'x'))
  const reads = [0, 1].map(() => ring.read(fd, Buffer.alloc(size), { position: 0 }))
  await delay(0)
  let copied = 0
  for (const read of reads) void read.then(() => (copied += 1))
  await ring.destroy()
  t.true(copied < 2, 'it did not wait')
  // What the copies still need goes with nothing that is collected now.
  await until(() => {
    collectGarbage()
    return copied === 2
  }, 'the results are copied')
  for (const { bytesRead, buffer } of await Promise.all(reads)) {
    t.is(bytesRead, size)
    t.is(buffer[size - 1], 120)
  }
})

test('clause 1, once: a signal that throws harms no other operation', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const { signal } = new AbortController()
  signal.addEventListener = () => {
    throw new Error('boom')
  }
  await t.throwsAsync(ring.sleep(20, { signal }), { message: 'boom' })
  const reading = ring.read(readFd, { length: 4 })
  await delay(50)
  await ring.write(writeFd, 'data')
  t.is((await reading).bytesRead, 4)
  t.is(ring.stats().submitted, 2, 'the sleep never reached the kernel')
})

test('posting a ring that has listeners is the same clear error', (t) => {
  const ring = ringFor(t)
  ring.on('stuck', () => {})
  const error = t.throws(() => structuredClone(ring), { any: true })
  t.regex(String(error), /aRingBelongsToTheThreadThatMadeIt/)
})

test('a descriptor that was closed behind its back is an error of the system', async (t) => {
  const ring = ringFor(t)
  const fd = openSync('/dev/null', 'r')
  closeSync(fd)
  t.is(await fate(ring.read(fd, { length: 1 })), 'EBADF')
})

/** Each operation, with FileHandle's overloads and results, on the descriptors that the library is for. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'

import test from 'ava'
import { AbortError, CANCELLED, eventfd, pipe, PollEvents, Ring } from 'uring-safe-cancel'

import { closeAfter, directoryFor, fate, fileFor, ringFor } from './helpers.js'

test("read takes FileHandle.read's overloads", async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, 'abcdefghij')
  const buffer = Buffer.alloc(4)
  t.deepEqual(await ring.read(fd, buffer, 1, 2, 3), { bytesRead: 2, buffer })
  t.is(buffer.toString('latin1'), '\0de\0')
  t.deepEqual(await ring.read(fd, buffer, { offset: 0, length: 1, position: 9 }), { bytesRead: 1, buffer })
  t.is((await ring.read(fd, { buffer, position: 4n })).buffer.toString(), 'efgh')
  const made = await ring.read(fd, { position: 0 })
  t.is(made.bytesRead, 10)
  t.is(made.buffer.length, 16_384)
  t.is(made.buffer.toString('latin1', 0, 12), 'abcdefghij\0\0')
  t.is((await ring.read(fd)).bytesRead, 10, 'the current position')
  t.is((await ring.read(fd)).bytesRead, 0, 'the end')
  const words = new Uint16Array(3)
  t.is((await ring.read(fd, words, { position: 0 })).buffer, words)
  t.is(words[0], 0x6261)
  const view = new DataView(new ArrayBuffer(10), 4, 2)
  t.is((await ring.read(fd, view, null, null, 8)).bytesRead, 2)
  t.is(view.getUint8(0), 'i'.charCodeAt(0))
})

test("write takes FileHandle.write's overloads", async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, '..........')
  const bytes = Buffer.from('abcd')
  t.deepEqual(await ring.write(fd, bytes, 1, 2, 0), { bytesWritten: 2, buffer: bytes })
  t.deepEqual(await ring.write(fd, bytes, { offset: 3, position: 5 }), { bytesWritten: 1, buffer: bytes })
  t.deepEqual(await ring.write(fd, 'é', 6, 'latin1'), { bytesWritten: 1, buffer: 'é' })
  t.deepEqual(await ring.write(fd, '6869', { position: 8 }), { bytesWritten: 4, buffer: '6869' })
  t.is((await ring.write(fd, new Float64Array([0]), { position: 20 })).bytesWritten, 8)
  const all = (await ring.read(fd, { position: 0 })).buffer
  t.is(all.toString('latin1', 0, 12), 'bc...dé.6869')
})

test('the current position moves as with read(2) and write(2)', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, '')
  await Promise.all(['a', 'b', 'c'].map((text) => ring.write(fd, text)))
  t.is((await ring.read(fd, { position: 0 })).buffer.toString('utf8', 0, 3), 'abc')
})

test('readv and writev, on core memory and on any other', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, '')
  const core = ring.alloc(2)
  core.write('cd')
  const written = [Buffer.from('ab'), core, new Uint8Array([101])]
  t.deepEqual(await ring.writev(fd, written, 0), { bytesWritten: 5, buffers: written })
  const buffers = [ring.alloc(1), Buffer.alloc(3), Buffer.alloc(3, '-')]
  t.deepEqual(await ring.readv(fd, buffers, 0), { bytesRead: 5, buffers })
  t.is(Buffer.concat(buffers).toString(), 'abcde--')
})

test('nop, sleep, fsync and fdatasync resolve to nothing', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, 'x')
  const begun = performance.now()
  const results = await Promise.all([ring.nop(), ring.sleep(20.5), ring.fsync(fd), ring.fdatasync(fd)])
  t.true(performance.now() - begun >= 20)
  t.deepEqual(results, [undefined, undefined, undefined, undefined])
  await t.throwsAsync(ring.sleep(60_000, { timeout: 10 }), { name: 'TimeoutError' })
})

test('poll resolves to the events that hold', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd)
  t.is(await ring.poll(writeFd, PollEvents.POLLOUT | PollEvents.POLLIN), PollEvents.POLLOUT)
  const polling = ring.poll(readFd, PollEvents.POLLIN)
  closeSync(writeFd)
  t.is(await polling, PollEvents.POLLHUP)
})

test('open resolves to a descriptor that does not outlive an exec', async (t) => {
  const ring = ringFor(t)
  const path = join(directoryFor(t), 'new')
  const fd = await ring.open(path, 'wx', 0o600)
  t.is(fstatSync(fd).mode & 0o777, 0o600)
  t.regex(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /flags:\s+0?2\d{6}/, 'O_CLOEXEC')
  await ring.closeFd(fd)
  const error = await t.throwsAsync<NodeJS.ErrnoException>(ring.open(Buffer.from(path), 'wx'))
  t.like(error, { code: 'EEXIST', errno: -17, syscall: 'open', path })
  t.is(error?.message, `EEXIST: file already exists, open '${path}'`)
  const again = await ring.open(new URL(`file://${path}`), constants.O_RDWR | constants.O_NONBLOCK)
  await ring.closeFd(again)
})

test('closeFd cancels what is in flight on the descriptor, and closes it', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, writeFd)
  const read = ring.read(readFd)
  await ring.nop()
  await ring.closeFd(readFd)
  t.is(await fate(read), 'ABORT_ERR')
  t.throws(() => fstatSync(readFd), { code: 'EBADF' })
  t.like(await t.throwsAsync(ring.closeFd(readFd)), { code: 'EBADF', syscall: 'close' })
})

test('closeFd closes although the ring is destroyed meanwhile', async (t) => {
  const ring = new Ring({ entries: 8, completionEntries: 8 })
  const event = eventfd()
  const { readFd, writeFd } = pipe()
  closeAfter(t, event, readFd)
  const hung = Array.from({ length: 10 }, () => fate(ring.read(event, { length: 8 })))
  const closing = ring.closeFd(writeFd)
  await ring.destroy()
  t.is(await fate(closing), 'resolved')
  t.throws(() => fstatSync(writeFd), { code: 'EBADF' })
  t.deepEqual(new Set(await Promise.all(hung)), new Set(['ABORT_ERR']))
})

test('cancelFd ends the operations of one descriptor only', async (t) => {
  const ring = ringFor(t)
  const [one, other] = [eventfd(), eventfd()]
  closeAfter(t, one, other)
  const cancelled = [0, 1, 2].map(() => fate(ring.read(one, { length: 8 })))
  const kept = ring.read(other, { length: 8 })
  t.is(await ring.cancelFd(one), 3)
  t.deepEqual(await Promise.all(cancelled), ['ABORT_ERR', 'ABORT_ERR', 'ABORT_ERR'])
  t.is(ring.stats().inFlight, 1)
  await ring.write(other, new BigUint64Array([1n]))
  t.is((await kept).bytesRead, 8)
})

test('cancel tells what became of the operation', async (t) => {
  const ring = ringFor(t)
  const event = eventfd()
  closeAfter(t, event)
  const reading = ring.read(event, { length: 8 })
  const twice = Promise.all([ring.cancel(reading), ring.cancel(reading)])
  t.deepEqual(await twice, [
    { outcome: 'cancelled', attempts: 1 },
    { outcome: 'cancelled', attempts: 1 },
  ])
  const error = await t.throwsAsync(reading)
  t.true(error instanceof AbortError)
  t.like(error, { name: 'AbortError', code: 'ABORT_ERR', message: 'The operation was aborted' })
  const done = ring.nop()
  await done
  t.deepEqual(await ring.cancel(done), { outcome: 'completed', attempts: 0 })
  const failed = ring.read(999_999, { length: 8 })
  t.is(await fate(failed), 'EBADF')
  t.deepEqual(await ring.cancel(failed), { outcome: 'failed', attempts: 0 })
  const resolving = ring.read(event, { length: 8, onCancel: 'resolve' })
  await ring.cancel(resolving)
  t.is(await resolving, CANCELLED)
})

test('a FIFO, a socket, a terminal and a character device can be read, and each read can be stopped', async (t) => {
  const ring = ringFor(t)
  const fifo = join(directoryFor(t), 'fifo')
  execFileSync('mkfifo', [fifo])
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const client = connect({ port: typeof address === 'object' ? (address?.port ?? 0) : 0, host: '127.0.0.1' })
  const [accepted]: Socket[] = await once(server, 'connection')
  const fifoFd = openSync(fifo, constants.O_RDWR)
  const terminal = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY)
  const socketFd = descriptorOf(accepted)
  closeAfter(t, fifoFd, terminal)
  t.teardown(() => {
    client.destroy()
    accepted?.destroy()
    server.close()
  })
  for (const fd of [fifoFd, socketFd, terminal]) {
    const hung = ring.read(fd, { timeout: 30, length: 100 })
    t.is(await fate(hung), 'TIMEOUT_ERR', `descriptor ${fd}`)
  }
  client.write('over the socket')
  t.is((await ring.read(socketFd, { length: 100 })).bytesRead, 15)
  await ring.write(fifoFd, 'fifo')
  t.is((await ring.read(fifoFd, { length: 100 })).bytesRead, 4)
  const zero = openSync('/dev/zero', 'r')
  const full = openSync('/dev/full', 'w')
  closeAfter(t, zero, full)
  // The kernel cuts longer reads of it short, between pages, when something else wants the processor.
  t.is((await ring.read(zero, Buffer.alloc(4096, 1))).bytesRead, 4096)
  t.is(await fate(ring.write(full, 'x')), 'ENOSPC')
})

function descriptorOf(socket: Socket | undefined): number {
  const handle: unknown = socket === undefined ? undefined : Reflect.get(socket, '_handle')
  return typeof handle === 'object' && handle !== null ? Number(Reflect.get(handle, 'fd')) : -1
}

test('an O_NONBLOCK descriptor waits as any other', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe({ nonblocking: true })
  const event = eventfd(0, { nonblocking: true, semaphore: true })
  closeAfter(t, readFd, writeFd, event)
  for (const async of [false, true]) {
    const reads = [ring.read(readFd, { length: 5, async }), ring.read(event, { length: 8, async })]
    await delay(10)
    await ring.write(writeFd, 'later')
    await ring.write(event, new BigUint64Array([1n]))
    t.deepEqual(
      (await Promise.all(reads)).map(({ bytesRead }) => bytesRead),
      [5, 8],
    )
  }
})

test('a FileHandle is held while its operation is in flight', async (t) => {
  const ring = ringFor(t)
  const directory = directoryFor(t)
  const fifo = join(directory, 'fifo')
  execFileSync('mkfifo', [fifo])
  let handle: Awaited<ReturnType<typeof open>> | undefined = await open(fifo, constants.O_RDWR)
  const { fd } = handle
  const reading = ring.read(handle, { length: 2 })
  handle = undefined
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc?.()
    await delay(2)
  }
  await ring.write(fd, 'ok')
  const { buffer } = await reading
  t.is(buffer.toString(), 'ok')
  closeSync(fd)
})

test('Ring.current is the same ring, until it is closed', async (t) => {
  const ring = Ring.current()
  t.is(Ring.current(), ring)
  await ring.nop()
  await ring.destroy()
  const next = Ring.current()
  t.not(next, ring)
  await next.nop()
  await next.destroy()
})

test('each worker has a ring of its own, and a ring cannot be posted', async (t) => {
  const ring = ringFor(t)
  const code = `
    const { parentPort } = require('node:worker_threads')
    const { Ring, pipe } = require('uring-safe-cancel')
    const { readFd, writeFd } = pipe()
    const ring = Ring.current()
    void (async () => {
      const [{ buffer }] = await Promise.all([ring.read(readFd, { length: 5 }), ring.write(writeFd, 'hello')])
      await ring.destroy()
      parentPort.postMessage(buffer.toString())
    })()`
  const worker = new Worker(code, { eval: true })
  const exit = once(worker, 'exit')
  const [message] = await once(worker, 'message')
  t.is(message, 'hello')
  t.is((await exit)[0], 0)
  const { port1 } = new MessageChannel()
  const error = t.throws(() => port1.postMessage(ring), { any: true })
  t.regex(String(error), /DataCloneError: function aRingBelongsToTheThreadThatMadeIt/)
  port1.close()
})

test('close waits for what is in flight; destroy does not; both can be called again, also meanwhile', async (t) => {
  const ring = new Ring()
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const reading = ring.read(readFd, { length: 1 })
  let isClosed = false
  const closing = ring.close().then(() => (isClosed = true))
  await delay(20)
  t.false(isClosed)
  t.is(await fate(ring.nop()), 'ERR_RING_CLOSED')
  await Promise.all([ring.destroy(new Error('enough')), ring.destroy(), ring.close(), closing])
  t.like(await t.throwsAsync(reading), { code: 'ABORT_ERR', cause: new Error('enough') })
  t.is(ring.stats().completed, 1)
  await ring.close()
})

test('await using destroys', async (t) => {
  const event = eventfd()
  closeAfter(t, event)
  let reading: Promise<unknown>
  {
    await using ring = new Ring()
    reading = ring.read(event, { length: 8 })
  }
  t.is(await fate(reading), 'ABORT_ERR')
})

/** What a program printed, and its exit status. */
async function run(code: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)))
  const [status] = await once(child, 'close')
  return `${output}${status}`
}

test('a program that only awaits an operation is kept alive by it, and by nothing else', async (t) => {
  const head = `import { Ring, eventfd } from 'uring-safe-cancel'; const ring = new Ring();`
  t.is(await run(`${head} await ring.sleep(50); console.log('slept')`), 'slept\n0')
  t.is(await run(`${head} await ring.nop(); console.log('idle')`), 'idle\n0')
  t.is(
    await run(`${head} ring.read(eventfd(), { length: 8 }); ring.unref(); console.log('unref')`),
    'unref\n0',
  )
  t.is(await run(`${head} ring.unref(); ring.ref(); ring.sleep(50).then(() => console.log('ref'))`), 'ref\n0')
})

test('inspect shows the counters', async (t) => {
  const ring = ringFor(t)
  await ring.nop()
  t.regex(inspect(ring), /^Ring \{\s+state: 'open',\s+submitted: 1,\s+completed: 1,/)
  t.regex(inspect(ring.nop()), /\bSymbol\(uring-safe-cancel\.operation\)\]?: nop \(unsettled\)/)
})

test('probe and isSupported', (t) => {
  t.true(Ring.isSupported())
  const { supported, kernel, operations, flags } = Ring.probe()
  t.true(supported)
  t.regex(kernel, /^\d+\.\d+/)
  t.true(operations['read'] && operations['cancel'])
  t.deepEqual(Object.keys(flags), ['COOP_TASKRUN', 'SINGLE_ISSUER', 'SUBMIT_ALL'])
})

/**
 * What of the API holds in this runtime: a TypeScript program of a user, which is compiled against the packed package. It
 * lists the features, or tries the one that it is given: it prints `true`, or what went wrong.
 */
import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

import {
  AbortError,
  CANCELLED,
  type CancelResult,
  eventfd,
  InvalidStateError,
  pipe,
  PollEvents,
  type ReadResult,
  Ring,
  RingError,
  type RingOptions,
  type RingProbe,
  type RingStats,
  TimeoutError,
} from 'uring-safe-cancel'

/** After that it hangs: no machine is that slow. */
const HANGS_AFTER_MILLISECONDS = 30_000

const directory = mkdtempSync(join(tmpdir(), 'features-'))
const options: RingOptions = { drainTimeout: 3_600_000 }
const ring = new Ring(options)
const { readFd, writeFd } = pipe()

/** Fails with what its promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it resolved')
}

async function inWorker(mode: string): Promise<string> {
  const worker = new Worker(new URL('worker.js', import.meta.url), { workerData: mode })
  try {
    return await new Promise<string>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', (code) => reject(new Error(`the worker exited with ${code}`)))
    })
  } finally {
    await worker.terminate()
  }
}

const features: Record<string, () => Promise<void>> = {
  'Ring.isSupported, Ring.probe': async () => {
    const probe: RingProbe = Ring.probe()
    assert.equal(Ring.isSupported(), true)
    assert.equal(probe.supported, true)
    assert.match(probe.kernel, /^\d+\.\d+/)
  },
  'read, write': async () => {
    await ring.write(writeFd, 'bytes')
    const result: ReadResult = await ring.read(readFd)
    assert.equal(result.buffer.toString('utf8', 0, result.bytesRead), 'bytes')
    await ring.write(writeFd, Buffer.from('12345'), 1, 3)
    const own = new Uint8Array(8)
    const { bytesRead, buffer } = await ring.read(readFd, own, { offset: 2 })
    assert.equal(buffer, own)
    assert.deepEqual([...own.subarray(0, 2 + bytesRead)], [0, 0, 0x32, 0x33, 0x34])
  },
  'readv, writev': async () => {
    await ring.writev(writeFd, [Buffer.from('ab'), Buffer.from('cd')])
    const parts = [new Uint8Array(3), new Uint8Array(3)]
    const { bytesRead } = await ring.readv(readFd, parts)
    assert.equal(bytesRead, 4)
    assert.equal(Buffer.concat(parts).toString('utf8', 0, 4), 'abcd')
  },
  'open, fsync, fdatasync, closeFd': async () => {
    const fd = await ring.open(join(directory, 'file'), 'w+')
    await ring.write(fd, 'content', 0)
    await ring.fsync(fd)
    await ring.fdatasync(fd)
    const { bytesRead } = await ring.read(fd, { position: 0 })
    assert.equal(bytesRead, 7)
    await ring.closeFd(fd)
  },
  'FileHandle of node:fs/promises': async () => {
    const handle = await open(join(directory, 'other'), 'w+')
    await ring.write(handle, 'content', 0)
    const { bytesRead } = await ring.read(handle, { position: 0 })
    assert.equal(bytesRead, 7)
    await ring.closeFd(handle)
  },
  'closeFd of a number that node:fs opened': async () => {
    const fd = openSync(join(directory, 'numbered'), 'w+')
    await ring.closeFd(fd)
    // A runtime that still counts it as its own would close it once more, whoever has it by then.
    assert.throws(
      () => {
        closeSync(fd)
      },
      { code: 'EBADF' },
    )
  },
  signal: async () => {
    const controller = new AbortController()
    const reading = ring.read(readFd, { signal: controller.signal })
    const reason = new Error('why')
    controller.abort(reason)
    const error = await rejection(reading)
    assert.ok(error instanceof AbortError)
    assert.equal(error.code, 'ABORT_ERR')
    assert.equal(error.cause, reason)
    assert.ok((await rejection(ring.read(readFd, { signal: AbortSignal.timeout(10) }))) instanceof AbortError)
    assert.ok((await rejection(ring.read(readFd, { signal: AbortSignal.abort() }))) instanceof AbortError)
  },
  timeout: async () => {
    assert.ok((await rejection(ring.read(readFd, { timeout: 10 }))) instanceof TimeoutError)
  },
  'cancel, cancelFd, cancelAll': async () => {
    const reading = ring.read(readFd)
    const ended = rejection(reading)
    const { outcome }: CancelResult = await ring.cancel(reading)
    assert.equal(outcome, 'cancelled')
    assert.ok((await ended) instanceof AbortError)
    const others = [ring.read(readFd, { onCancel: 'resolve' }), ring.read(readFd, { onCancel: 'resolve' })]
    assert.equal(await ring.cancelFd(readFd), 2)
    assert.deepEqual(await Promise.all(others), [CANCELLED, CANCELLED])
    const last = ring.sleep(3_600_000, { onCancel: 'resolve' })
    assert.equal(await ring.cancelAll(), 1)
    assert.equal(await last, CANCELLED)
  },
  '10,000 reads in flight, cancelled': async () => {
    const fd = eventfd()
    const reads = Array.from({ length: 10_000 }, () => ring.read(fd, { onCancel: 'resolve' }))
    assert.equal(await ring.cancelAll(), reads.length)
    assert.ok((await Promise.all(reads)).every((result) => result === CANCELLED))
    await ring.closeFd(fd)
  },
  'poll, sleep, nop': async () => {
    await ring.write(writeFd, 'x')
    const events = await ring.poll(readFd, PollEvents.POLLIN)
    assert.ok((events & PollEvents.POLLIN) !== 0)
    await ring.read(readFd)
    await ring.sleep(1)
    await ring.nop()
  },
  alloc: async () => {
    const buffer = ring.alloc(64)
    await ring.write(writeFd, 'core memory')
    const { bytesRead } = await ring.read(readFd, buffer)
    assert.equal(buffer.toString('utf8', 0, bytesRead), 'core memory')
  },
  'a buffer that is transferred mid-flight': async () => {
    const buffer = new Uint8Array(16)
    const reading = ring.read(readFd, buffer)
    structuredClone(buffer.buffer, { transfer: [buffer.buffer] })
    await ring.write(writeFd, 'saved')
    const error = await rejection(reading)
    assert.ok(error instanceof InvalidStateError)
    assert.equal(error.data.toString('utf8'), 'saved')
  },
  'errors of the system': async () => {
    const error = await rejection(ring.open('/nowhere/at/all'))
    assert.ok(error instanceof Error && 'code' in error && 'syscall' in error)
    assert.equal(error.code, 'ENOENT')
  },
  'errors of arguments': async () => {
    // @ts-expect-error: it is none.
    const error = await rejection(ring.read('not a descriptor'))
    assert.ok(error instanceof TypeError && 'code' in error)
    assert.equal(error.code, 'ERR_INVALID_ARG_TYPE')
  },
  stats: async () => {
    const { submitted, completed, inFlight }: RingStats = ring.stats()
    assert.equal(submitted, completed)
    assert.equal(inFlight, 0)
  },
  'close, destroy': async () => {
    const other = new Ring()
    const sleeping = rejection(other.sleep(3_600_000))
    await other.destroy()
    assert.ok((await sleeping) instanceof AbortError)
    const closed = await rejection(other.nop())
    assert.ok(closed instanceof RingError)
    const third = new Ring()
    const nop = third.nop()
    await third.close()
    await nop
  },
  'Symbol.asyncDispose': async () => {
    const other = new Ring()
    await other[Symbol.asyncDispose]()
    assert.equal(other.closed, true)
  },
  'rings in worker threads': async () => {
    assert.equal(await inWorker('works'), 'works')
  },
  'a worker that is terminated with operations in flight': async () => {
    assert.equal(await inWorker('hangs'), 'in flight')
  },
}

async function attempt(feature: () => Promise<void>): Promise<true | string> {
  let timer: NodeJS.Timeout | undefined
  const hangs = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), HANGS_AFTER_MILLISECONDS)
  })
  try {
    await Promise.race([feature(), hangs])
    return true
  } catch (error) {
    return String(error)
  } finally {
    clearTimeout(timer)
  }
}

const [, , name] = process.argv
if (name === undefined) {
  console.log(JSON.stringify(Object.keys(features)))
} else {
  const feature = features[name]
  console.log(JSON.stringify(feature ? await attempt(feature) : 'there is no such feature'))
}
await ring.closeFd(readFd)
await ring.closeFd(writeFd)
await ring.close()
rmSync(directory, { recursive: true })

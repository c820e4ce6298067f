/** The load: what goes on at the same time, each lane again and again. A round of a lane leaves nothing behind. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, unlinkSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import { CANCELLED, eventfd, pipe, Ring } from 'uring-safe-cancel'

import { collect } from './sample.js'

/** What the lanes share. */
export interface Ground {
  ring: Ring
  directory: string
  /** How many operations there were. */
  operations: number
  /** When the spell ends. */
  end: number
}

/** One round. It throws where a result is wrong. */
export type Lane = (ground: Ground) => Promise<void>

function below(limit: number): number {
  return Math.floor(Math.random() * limit)
}

function check(holds: boolean, words: string): void {
  if (!holds) throw new Error(words)
}

function fdOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle: { fd: number } }
  return handle.fd
}

function ignore(): void {}

/** Bytes go through a pipe while half of its reads are cancelled: none is lost. */
const pipes: Lane = async (ground) => {
  const { ring } = ground
  const { readFd, writeFd } = pipe()
  let written = 0
  let delivered = 0
  for (let round = 0; round < 50; round += 1) {
    const length = 1 + below(3000)
    const reading = ring.read(readFd, { length, async: below(2) === 0, onCancel: 'resolve' })
    const cancelling = below(2) === 0 ? ring.cancel(reading) : undefined
    const bytes = below(2) === 0 ? Buffer.alloc(length) : ring.alloc(length)
    written += (await ring.write(writeFd, bytes)).bytesWritten
    await cancelling
    const result = await reading
    if (result !== CANCELLED) delivered += result.bytesRead
    ground.operations += 2
  }
  await ring.closeFd(writeFd)
  for (;;) {
    const { bytesRead } = await ring.read(readFd, Buffer.allocUnsafe(65_536))
    if (bytesRead === 0) break
    delivered += bytesRead
  }
  await ring.closeFd(readFd)
  check(delivered === written, `a pipe was given ${written} bytes, and gave ${delivered}`)
}

/** The cancel races with the worker of the kernel; then signals, timeouts and waiting in the queue. */
const eventfds: Lane = async (ground) => {
  const { ring } = ground
  const fd = eventfd()
  for (let round = 0; round < 20; round += 1) {
    const reads = Array.from({ length: 8 }, () =>
      ring.read(fd, { length: 8, async: true, onCancel: 'resolve' }),
    )
    if (below(2) === 0) await ring.nop()
    await Promise.all(reads.map((read) => ring.cancel(read)))
    const results = await Promise.all(reads)
    check(
      results.every((result) => result === CANCELLED),
      'an empty eventfd was read',
    )
    const controller = new AbortController()
    const aborted = ring.read(fd, Buffer.alloc(8), { signal: controller.signal })
    const timed = ring.read(fd, Buffer.alloc(8), { timeout: below(3) })
    const settled = Promise.allSettled([aborted, timed])
    if (below(2) === 0) await ring.nop()
    controller.abort()
    const words = (await settled).map((end) => (end.status === 'rejected' ? String(end.reason) : 'resolved'))
    check(/Abort.*Timeout/.test(words.join()), words.join())
    ground.operations += 10
  }
  await ring.closeFd(fd)
}

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
let names = 0

/** A FIFO is made, opened by its path, used with a reader that is cancelled, and removed. */
const fifos: Lane = async (ground) => {
  const { ring, directory } = ground
  const path = join(directory, `fifo-${(names += 1)}`)
  execFileSync('mkfifo', [path])
  const alone = ring.open(path, O_RDONLY, 0, { async: true, onCancel: 'resolve' })
  if (below(2) === 0) await ring.nop()
  await ring.cancel(alone)
  check((await alone) === CANCELLED, 'a FIFO without a writer was opened')
  const readFd = await ring.open(path, O_RDONLY | O_NONBLOCK)
  const writeFd = await ring.open(path, O_WRONLY)
  for (let round = 0; round < 50; round += 1) {
    const hung = ring.read(readFd, { length: 10, onCancel: 'resolve' })
    await ring.cancelFd(readFd)
    check((await hung) === CANCELLED, 'an empty FIFO was read')
    const reading = ring.read(readFd, { length: 10 })
    await ring.write(writeFd, 'ten bytes.')
    check((await reading).buffer.toString() === 'ten bytes.', 'a FIFO gave other bytes')
    ground.operations += 4
  }
  await Promise.all([ring.closeFd(readFd), ring.closeFd(writeFd)])
  unlinkSync(path)
  ground.operations += 5
}

/** Files are opened, written, read back and closed; some opens are cancelled. */
const files: Lane = async (ground) => {
  const { ring, directory } = ground
  const path = join(directory, `file-${(names += 1)}`)
  const fd = await ring.open(path, 'w+')
  const content = Buffer.alloc(1 + below(100_000), names)
  await ring.write(fd, content, { position: 0 })
  await ring.fdatasync(fd)
  const parts = [Buffer.alloc(content.length >> 1), ring.alloc(content.length - (content.length >> 1))]
  await ring.readv(fd, parts, 0)
  check(Buffer.concat(parts).equals(content), 'a file gave other bytes')
  for (let round = 0; round < 100; round += 1) {
    void ring.read(fd, { length: 4096, position: 0 })
    const opening = ring.open(path, 'r', 0, { onCancel: 'resolve' })
    if (below(2) === 0) void ring.cancel(opening)
    const other = await opening
    if (other !== CANCELLED) closeSync(other)
    ground.operations += 2
  }
  await ring.closeFd(fd)
  unlinkSync(path)
}

/** A connection of node:net, whose descriptors the ring reads and writes. */
const sockets: Lane = async (ground) => {
  const { ring, directory } = ground
  const path = join(directory, `socket-${(names += 1)}`)
  const server = createServer({ pauseOnConnect: true }).listen(path)
  await once(server, 'listening')
  const near = connect(path)
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ]
  near.pause()
  for (let round = 0; round < 50; round += 1) {
    const hung = ring.read(fdOf(far), { length: 100, onCancel: 'resolve' })
    await ring.cancel(hung)
    check((await hung) === CANCELLED, 'a silent socket was read')
    const reading = ring.read(fdOf(far), Buffer.alloc(100), { async: below(2) === 0 })
    await ring.write(fdOf(near), 'x'.repeat(100))
    check((await reading).bytesRead === 100, 'a socket lost bytes')
    ground.operations += 3
  }
  await Promise.all([ring.cancelFd(fdOf(far)), ring.cancelFd(fdOf(near))])
  near.destroy()
  far.destroy()
  server.close()
  await once(server, 'close')
}

/** Memory of the ring, dropped by whoever had it. */
const buffers: Lane = async (ground) => {
  const { ring } = ground
  const fd = await ring.open('/dev/zero')
  for (let round = 0; round < 200; round += 1) {
    // Garbage is no more than a part of the arena, which is small here.
    if (round % 50 === 0) await collect()
    const buffer = ring.alloc(1 + below(200_000))
    const { bytesRead } = await ring.read(fd, buffer)
    // A plain read of /dev/zero may be short where the kernel would have to yield.
    check(bytesRead > 0 && bytesRead <= buffer.length, `a read of ${buffer.length} bytes gave ${bytesRead}`)
    void ring.read(fd, { length: 1 + below(100_000) })
    const own = Buffer.alloc(5000)
    const lost = ring.read(fd, own).catch(ignore)
    structuredClone(own.buffer, { transfer: [own.buffer] })
    await lost
    ground.operations += 3
  }
  await ring.closeFd(fd)
}

/** Rings that are made, used, and ended with operations in flight. */
const rings: Lane = async (ground) => {
  const fd = eventfd()
  for (let round = 0; round < 5; round += 1) {
    const ring = new Ring({ entries: 8, completionEntries: 16 })
    const reads = Array.from({ length: 30 }, () => ring.read(fd, { length: 8, onCancel: 'resolve' }))
    await ring.nop({ timeout: 1, onCancel: 'resolve' })
    if (below(2) === 0) {
      void ring.cancelAll()
      await ring.close()
    } else {
      await ring.destroy()
    }
    await Promise.all(reads)
    ground.operations += 31
  }
  closeSync(fd)
}

const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { Ring } = require('uring-safe-cancel')
  const ring = new Ring()
  for (let n = 0; n < 50; n += 1) ring.read(workerData, { length: 8, async: n % 2 === 0 }).catch(() => {})
  ring.alloc(1 << 20).fill(1)
  ring.nop().then(() => parentPort.postMessage('reading'))`

/** Workers that are terminated with operations in flight. One a second: each is an isolate and a thread. */
const workers: Lane = async (ground) => {
  const fd = eventfd()
  const worker = new Worker(WORKER, { eval: true, workerData: fd })
  await once(worker, 'message')
  await worker.terminate()
  closeSync(fd)
  ground.operations += 51
  await delay(Math.max(0, Math.min(1000, ground.end - performance.now())))
}

export const LANES: Record<string, Lane> = {
  pipes,
  eventfds,
  fifos,
  files,
  sockets,
  buffers,
  rings,
  workers,
}

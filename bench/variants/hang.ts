/**
 * Four reads of FIFOs to which nobody writes: how long until `fs.stat` answers meanwhile, and from the wish to end the
 * reads until they have settled. A process of its own, for a read of node:fs cannot be ended at all.
 */
import { execFileSync } from 'node:child_process'
import { constants, openSync, stat as statCallback, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { loadLibrary } from '../library.js'

/** As many as the thread pool has threads. */
const READS = 4
/** Milliseconds in which the reads are surely under way. */
const BEGIN = 50

interface Arguments {
  api: 'ring' | 'handle' | 'socket'
  directory: string
  /** Milliseconds until a wait is given up. */
  patience: number
  samples: number
}

/** A way to read: begins all reads, and gives back what ends them. The promise settles with the last of them. */
type Begin = () => Promise<{ cancel: () => void; settled: Promise<unknown> }>

async function ways(api: Arguments['api'], paths: string[]): Promise<Begin> {
  switch (api) {
    case 'ring': {
      const { Ring } = await loadLibrary()
      const ring = new Ring()
      const fds = paths.map((path) => openSync(path, 'r+'))
      return async () => {
        const controller = new AbortController()
        const { signal } = controller
        const settled = Promise.all(fds.map((fd) => expectAbort(ring.read(fd, Buffer.alloc(1), { signal }))))
        return { cancel: () => controller.abort(), settled }
      }
    }
    case 'handle': {
      const handles = await Promise.all(paths.map((path) => open(path, 'r+')))
      return async () => {
        const controller = new AbortController()
        const settled = Promise.all(handles.map((handle) => readWithSignal(handle, controller.signal)))
        return { cancel: () => controller.abort(), settled }
      }
    }
    case 'socket':
      return async () => {
        const sockets = paths.map((path) => {
          const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
          return new Socket({ fd, readable: true, writable: false }).resume()
        })
        const settled = Promise.all(
          sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))),
        )
        return { cancel: () => sockets.forEach((socket) => socket.destroy()), settled }
      }
    default:
      throw new Error(`no such API: ${String(api)}`)
  }
}

/** The form that would end the read, if FileHandle.read knew signals. */
function readWithSignal(handle: FileHandle, signal: AbortSignal): Promise<unknown> {
  const options = { buffer: Buffer.alloc(1), signal }
  return expectAbort(handle.read(options))
}

async function expectAbort(reading: Promise<unknown>): Promise<void> {
  const outcome = await reading.then(
    () => 'data',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  )
  if (outcome !== 'AbortError') throw new Error(`a read of an empty FIFO ended with ${outcome}`)
}

/** Milliseconds until `promise` settles; `null` if it has not after `patience`. */
async function timeUntil(promise: Promise<unknown>, patience: number): Promise<number | null> {
  const begun = performance.now()
  const gaveUp = Symbol('gave up')
  const first = await Promise.race([promise, sleep(patience, gaveUp)])
  return first === gaveUp ? null : performance.now() - begun
}

async function measure({ api, directory, patience, samples }: Arguments): Promise<void> {
  const paths = Array.from({ length: READS }, (_, index) => `${directory}/fifo-${process.pid}-${index}`)
  execFileSync('mkfifo', paths)
  const begin = await ways(api, paths)
  const [settle, stat]: [(number | null)[], (number | null)[]] = [[], []]
  for (let sample = 0; sample < samples; sample += 1) {
    const { cancel, settled } = await begin()
    await sleep(BEGIN)
    stat.push(await timeUntil(new Promise((resolve) => statCallback(directory, resolve)), patience))
    // The time is that from the wish, which is within.
    settle.push(
      await timeUntil(
        Promise.resolve()
          .then(cancel)
          .then(() => settled),
        patience,
      ),
    )
    // What hangs once hangs for ever.
    if (settle.includes(null)) break
  }
  writeSync(1, JSON.stringify({ settle, stat }))
}

await measure(JSON.parse(process.argv[2] ?? '{}') as Arguments)
// Node cannot exit while a read blocks a thread of its pool.
process.kill(process.pid, 'SIGKILL')

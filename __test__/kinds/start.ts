/** Begins an operation, by a ring or by what has the same face. */
import { constants } from 'node:fs'

import type { Ring } from 'uring-safe-cancel'

import { pattern } from './data.js'
import { type OperationName, partsOf, POLLIN, POLLOUT, type Subject } from './operations.js'

interface Options {
  async: boolean
  signal: AbortSignal
  timeout?: number
}

/** What of a ring is used here. */
export interface Face {
  read: (
    fd: number,
    buffer: Buffer,
    offset: number,
    length: number,
    position: number | null,
    options: Options,
  ) => Promise<unknown>
  readv: (fd: number, buffers: Buffer[], position: number | null, options: Options) => Promise<unknown>
  write: Face['read']
  writev: Face['readv']
  poll: (fd: number, events: number, options: Options) => Promise<unknown>
  fsync: (fd: number, options: Options) => Promise<unknown>
  open: (path: string, flags: number, mode: number, options: Options) => Promise<unknown>
  closeFd: (fd: number) => Promise<unknown>
}

export interface Started {
  operation: Promise<unknown>
  /** What is read into. */
  buffers: Buffer[]
}

function buffersFor(ring: Ring, { length, aligned }: Subject, lengths: readonly number[]): Buffer[] {
  // Without O_DIRECT an operation gets memory of the caller, as most do.
  if (!aligned) return lengths.map((bytes) => Buffer.alloc(bytes))
  const whole = ring.alloc(Math.max(length, 4096))
  let end = 0
  return lengths.map((bytes) => {
    end += bytes
    return whole.subarray(end - bytes, end)
  })
}

function source({ payload, length, seed }: Subject): Buffer {
  return payload === undefined || length === 0 ? pattern(seed, length) : Buffer.from(payload, 'hex')
}

/** Makes the data, which takes time that is not the operation's; what it returns begins. `ring` gives the memory, whoever does it. */
export function prepareStart(
  name: OperationName,
  face: Face,
  ring: Ring,
  fd: number,
  signal: AbortSignal,
  subject: Subject,
): () => Started {
  const { length, position, path, openFlags, async, timeout } = subject
  const options = { async, signal, ...(timeout === undefined ? {} : { timeout }) }
  const where = name.endsWith(' at') ? position : null
  const whole = buffersFor(ring, subject, [length])
  const parts = buffersFor(ring, subject, partsOf(length, subject.aligned))
  const [first = Buffer.alloc(0)] = whole
  const data = source(subject)
  switch (name) {
    case 'read':
    case 'read at':
      return () => ({ operation: face.read(fd, first, 0, length, where, options), buffers: whole })
    case 'readv':
    case 'readv at':
      return () => ({ operation: face.readv(fd, parts, where, options), buffers: parts })
    case 'write':
    case 'write at':
      first.set(data)
      return () => ({ operation: face.write(fd, first, 0, length, where, options), buffers: [] })
    case 'writev':
    case 'writev at': {
      const split = subject.payload === undefined ? parts : whole
      let written = 0
      for (const part of split) {
        part.set(data.subarray(written, written + part.length))
        written += part.length
      }
      return () => ({ operation: face.writev(fd, split, where, options), buffers: [] })
    }
    case 'poll in':
    case 'poll out':
      return () => ({ operation: face.poll(fd, name === 'poll in' ? POLLIN : POLLOUT, options), buffers: [] })
    case 'fsync':
      return () => ({ operation: face.fsync(fd, options), buffers: [] })
    case 'open':
      return () => ({
        operation: face.open(path, openFlags | constants.O_NOCTTY, 0o600, options),
        buffers: [],
      })
    case 'close':
      return () => ({ operation: face.closeFd(fd), buffers: [] })
    default:
      throw new Error(`no operation: ${String(name satisfies never)}`)
  }
}

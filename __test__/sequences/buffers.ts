/** Where the bytes of reads go, and those of writes come from: every kind of memory that a call takes. */
import { type OperationOptions, type Ring, RingError } from 'uring-safe-cancel'

import type { Violations } from './calls.js'

/** The caller's own memory, `ring.alloc`'s, what the ring makes for a read, or several parts. */
export type Shape = 'own' | 'core' | 'made' | 'vector'

export interface Destination {
  begin: (ring: Ring, fd: number, position: number | null, options: OperationOptions) => Promise<unknown>
  /** The bytes that a result brought. */
  bytesOf: (value: unknown, rescued: Buffer | undefined) => Buffer
  /** Takes the memory away, if it is the caller's; tells whether. */
  transfer: () => boolean
}

export interface Source {
  begin: (ring: Ring, fd: number, position: number | null, options: OperationOptions) => Promise<unknown>
}

/** What is left alone around a read's destination, and behind the bytes that came. */
const UNTOUCHED = 0xee
const GUARD_BYTES = 8

/** Core memory, or if the arena is full the caller's own. */
function allocate(ring: Ring, bytes: number): Buffer {
  try {
    return ring.alloc(bytes)
  } catch (error) {
    if (error instanceof RingError && error.code === 'ERR_RING_ARENA_FULL') return Buffer.alloc(bytes)
    throw error
  }
}

function takeAway(buffer: Buffer): boolean {
  structuredClone(buffer.buffer, { transfer: [buffer.buffer as ArrayBuffer] })
  return true
}

/** A destination of `length` bytes. */
export function destination(violations: Violations, ring: Ring, shape: Shape, length: number): Destination {
  if (shape === 'made') return made()
  const parts = partsOf(ring, shape, length)
  for (const { memory } of parts) memory.fill(UNTOUCHED)
  const views = parts.map(({ memory, guard }) => memory.subarray(guard, memory.length - guard))
  const [first] = parts
  const [view] = views
  if (first === undefined || view === undefined) throw new Error('a destination has a part')
  let isTransferred = false
  return {
    begin: (on, fd, position, options) =>
      shape === 'vector'
        ? on.readv(fd, views, position, options)
        : on.read(fd, first.memory, first.guard, length, position, options),
    bytesOf: (value, rescued) => {
      if (rescued !== undefined) return rescued
      const { bytesRead } = value as { bytesRead: number }
      if (isTransferred) {
        violations.check(bytesRead === 0, `a read of ${bytesRead} bytes into memory that was taken away`)
        return Buffer.alloc(0)
      }
      const whole = Buffer.concat(views)
      const isClean =
        isUntouched(whole.subarray(bytesRead)) &&
        parts.every(
          ({ memory, guard }) =>
            isUntouched(memory.subarray(0, guard)) && isUntouched(memory.subarray(memory.length - guard)),
        )
      violations.check(isClean, `a read of ${bytesRead} bytes wrote where it must not`)
      return whole.subarray(0, bytesRead)
    },
    transfer: () => {
      if (shape === 'core') return false
      isTransferred = true
      return takeAway(first.memory)
    },
  }

  function made(): Destination {
    return {
      begin: (on, fd, position, options) => on.read(fd, { ...options, length, position }),
      bytesOf: (value) => {
        const { bytesRead, buffer } = value as { bytesRead: number; buffer: Buffer }
        violations.check(
          buffer.length === length,
          `a buffer of ${buffer.length} bytes was made for ${length}`,
        )
        return buffer.subarray(0, bytesRead)
      },
      transfer: () => false,
    }
  }
}

function isUntouched(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === UNTOUCHED)
}

/** A part of a transfer's memory; `guard` bytes before and after it are left alone. */
interface Piece {
  memory: Buffer
  guard: number
}

function ownPiece(bytes: number): Piece {
  return { memory: Buffer.alloc(bytes + 2 * GUARD_BYTES), guard: GUARD_BYTES }
}

/** The first part is the caller's, unless all is core memory. */
function partsOf(ring: Ring, shape: Shape, length: number): Piece[] {
  if (shape === 'core') return [{ memory: allocate(ring, length), guard: 0 }]
  const head = shape === 'vector' ? Math.ceil(length / 3) : length
  if (head === length) return [ownPiece(length)]
  return [ownPiece(head), { memory: allocate(ring, length - head), guard: 0 }]
}

/** A source of these bytes. */
export function source(ring: Ring, shape: Shape, bytes: Buffer): Source {
  const parts = partsOf(ring, shape, bytes.length)
  let from = 0
  const views = parts.map(({ memory, guard }) => {
    const view = memory.subarray(guard, memory.length - guard)
    from += bytes.copy(view, 0, from)
    return view
  })
  const [first] = parts
  if (first === undefined) throw new Error('a source has a part')
  return {
    begin: (on, fd, position, options) => {
      const writing =
        shape === 'vector'
          ? on.writev(fd, views, position, options)
          : on.write(fd, first.memory, first.guard, bytes.length, position, options)
      // What is written is what was there at the call; only ring.alloc's memory is not copied.
      for (const { memory, guard } of parts) if (guard > 0) memory.fill(UNTOUCHED)
      return writing
    },
  }
}

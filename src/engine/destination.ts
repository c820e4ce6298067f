/** Where a read's bytes go: one part, or several of a vectored read. */
import type { CoreMemory } from '../native/core-memory.js'
import { copy } from '../native/hot-calls.js'
import type { NativeRing } from '../native/native-functions.js'

/** A part of a destination. */
export interface Part {
  /** The bytes of the caller's view, which may be detached or shrunk while the read is in flight. */
  readonly bytes: Uint8Array
  /** Where in them the data goes. */
  readonly start: number
  /** How many bytes it had room for at the call. */
  readonly length: number
  /** The region of core memory that it lies on, into which the kernel writes by itself; otherwise -1. */
  readonly region: number
  /** Where what it has no room for goes. A list and not an array: nearly every read has one part. */
  next: Part | undefined
}

/** The parts of a vectored operation, linked. */
export function partsOf(views: Uint8Array[], memory: CoreMemory): Part[] {
  const parts: Part[] = views.map((bytes) => ({
    bytes,
    start: 0,
    length: bytes.byteLength,
    region: memory.regionOf(bytes),
    next: undefined,
  }))
  for (const [index, part] of parts.entries()) part.next = parts[index + 1]
  return parts
}

/** Copies bytes of a kept result to their part. False if there is no room for them any more. */
export function copyPart(
  native: NativeRing,
  id: number,
  index: number,
  part: Part,
  from: number,
  amount: number,
): boolean {
  const { bytes, start, region } = part
  if (region >= 0) return bytes.byteLength >= start + from + amount
  return amount === 0 || copy(native, id, index, from, bytes, start + from, amount) === amount
}

/** Copies a whole result. False if there is no room for it any more. */
export function copyParts(native: NativeRing, id: number, first: Part | undefined, bytes: number): boolean {
  let left = bytes
  for (let part = first, index = 0; part !== undefined; part = part.next, index += 1) {
    const amount = Math.min(left, part.length)
    if (!copyPart(native, id, index, part, 0, amount)) return false
    left -= amount
  }
  return left === 0
}

/** The bytes of a result whose destination is gone. */
export function rescueBytes(native: NativeRing, id: number, first: Part | undefined, bytes: number): Buffer {
  const data = Buffer.alloc(bytes)
  let done = 0
  for (let part = first, index = 0; part !== undefined; part = part.next, index += 1) {
    const amount = Math.min(bytes - done, part.length)
    if (amount > 0) copy(native, id, index, 0, data, done, amount)
    done += amount
  }
  return data
}

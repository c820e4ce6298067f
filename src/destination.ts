/** Where a read's bytes go: one part, or several of a vectored read. */
import type { NativeRing } from './native.js'

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
  return amount === 0 || native.copy(id, index, from, bytes, start + from, amount) === amount
}

/** Copies a whole result. False if there is no room for it any more. */
export function copyParts(native: NativeRing, id: number, parts: readonly Part[], bytes: number): boolean {
  let left = bytes
  for (const [index, part] of parts.entries()) {
    const amount = Math.min(left, part.length)
    if (!copyPart(native, id, index, part, 0, amount)) return false
    left -= amount
  }
  return left === 0
}

/** The bytes of a result whose destination is gone. */
export function rescueBytes(native: NativeRing, id: number, parts: readonly Part[], bytes: number): Buffer {
  const data = Buffer.alloc(bytes)
  let done = 0
  for (const [index, part] of parts.entries()) {
    const amount = Math.min(bytes - done, part.length)
    if (amount > 0) native.copy(id, index, 0, data, done, amount)
    done += amount
  }
  return data
}

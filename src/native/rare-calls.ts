/** The calls into native code that programs make seldom: one door for all, and one each for what has arrays of parts. */
import { give, type Submission } from './hot-calls.js'
import type { NativeRing } from './native-functions.js'
import { type Code, CURRENT_POSITION, Given } from './protocol.js'

/** What an operation has beside what all have; see {@link Given}. */
interface Numbers {
  readonly first?: number
  readonly second?: number
}

/** `bytes`: a path that ends in NUL. */
export function submit(
  native: NativeRing,
  operation: Submission,
  code: (typeof Code)[keyof typeof Code],
  { first = 0, second = 0 }: Numbers = {},
  bytes?: Uint8Array,
): number {
  const { given } = native
  give(native, operation, 0, CURRENT_POSITION)
  given[Given.CODE] = code
  given[Given.FIRST] = first
  given[Given.SECOND] = second
  return native.submit(bytes)
}

/** `parts` are triples: region, start, length. What lies on no region is kept to be copied out. */
export function readv(
  native: NativeRing,
  operation: Submission,
  parts: Float64Array,
  position: number,
): number {
  give(native, operation, 0, position)
  return native.readv(parts)
}

/** The same out of `buffers`: a snapshot of what lies on no region. */
export function writev(
  native: NativeRing,
  operation: Submission,
  parts: Float64Array,
  buffers: Uint8Array[],
  position: number,
): number {
  give(native, operation, 0, position)
  return native.writev(parts, buffers)
}

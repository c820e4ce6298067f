/**
 * The calls into native code that programs make most. Their arguments go through memory that both sides share: Node-API takes
 * some 5 ns for each that is passed.
 */
import type { NativeRing } from './native-functions.js'
import { Given } from './protocol.js'

/** What the native side has to know of any operation. */
export interface Submission {
  readonly id: number
  readonly fd: number
  readonly flags: number
  readonly timeout: number
}

/** Bytes of the caller's. By names: nobody can take a start for a length. */
interface Extent {
  readonly bytes: Uint8Array
  readonly start: number
  readonly length: number
}

/** The same on core memory, or with -1 for its region elsewhere. */
interface Place extends Extent {
  readonly region: number
}

export function give(native: NativeRing, operation: Submission, length: number, position: number): void {
  const { given } = native
  given[Given.ID] = operation.id
  given[Given.FD] = operation.fd
  given[Given.LENGTH] = length
  given[Given.POSITION] = position
  given[Given.FLAGS] = operation.flags
  given[Given.TIMEOUT] = operation.timeout
}

export function nop(native: NativeRing, operation: Submission): number {
  const { given } = native
  given[Given.ID] = operation.id
  given[Given.FLAGS] = operation.flags
  given[Given.TIMEOUT] = operation.timeout
  return native.nop()
}

/** Into its place, if that is on core memory; otherwise into core memory that is kept to be copied out. */
export function read(native: NativeRing, operation: Submission, place: Place, position: number): number {
  if (place.region < 0) return readKept(native, operation, place.length, position)
  const { given } = native
  give(native, operation, place.length, position)
  given[Given.REGION] = place.region
  given[Given.START] = place.bytes.byteOffset + place.start
  return native.readRegion()
}

/** Into core memory, which is kept to be copied out. */
export function readKept(
  native: NativeRing,
  operation: Submission,
  length: number,
  position: number,
): number {
  give(native, operation, length, position)
  return native.read()
}

/** Out of a region, without a copy, if there is one; otherwise a snapshot of the bytes. */
export function write(
  native: NativeRing,
  operation: Submission,
  { bytes, start, length }: Extent,
  region: number,
  position: number,
): number {
  const { given } = native
  give(native, operation, length, position)
  if (region < 0) {
    given[Given.START] = start
    return native.write(bytes)
  }
  given[Given.REGION] = region
  given[Given.START] = bytes.byteOffset + start
  return native.writeRegion()
}

/** From the kept memory of a completed read. Answers `length`, or -1 if the destination is detached or too small. */
export function copy(
  native: NativeRing,
  id: number,
  part: number,
  from: number,
  bytes: Uint8Array,
  start: number,
  length: number,
): number {
  const { given } = native
  given[Given.ID] = id
  given[Given.REGION] = part
  given[Given.POSITION] = from
  given[Given.START] = start
  given[Given.LENGTH] = length
  return native.copy(bytes)
}

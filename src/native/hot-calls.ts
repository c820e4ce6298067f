/**
 * The calls into native code that programs make most. Their arguments go through memory that both sides share: Node-API takes
 * some 5 ns for each that is passed.
 */
import type { NativeRing } from './native-functions.js'
import { Given } from './protocol.js'

function give(
  given: Float64Array,
  id: number,
  fd: number,
  length: number,
  position: number,
  flags: number,
  timeout: number,
): void {
  given[Given.ID] = id
  given[Given.FD] = fd
  given[Given.LENGTH] = length
  given[Given.POSITION] = position
  given[Given.FLAGS] = flags
  given[Given.TIMEOUT] = timeout
}

export function nop(native: NativeRing, id: number, flags: number, timeout: number): number {
  const { given } = native
  given[Given.ID] = id
  given[Given.FLAGS] = flags
  given[Given.TIMEOUT] = timeout
  return native.nop()
}

/** Into core memory, which is kept to be copied out. */
export function read(
  native: NativeRing,
  id: number,
  fd: number,
  length: number,
  position: number,
  flags: number,
  timeout: number,
): number {
  give(native.given, id, fd, length, position, flags, timeout)
  return native.read()
}

/** Into a region: no copy. */
export function readRegion(
  native: NativeRing,
  id: number,
  fd: number,
  region: number,
  start: number,
  length: number,
  position: number,
  flags: number,
  timeout: number,
): number {
  const { given } = native
  give(given, id, fd, length, position, flags, timeout)
  given[Given.REGION] = region
  given[Given.START] = start
  return native.readRegion()
}

/** A snapshot of the bytes. */
export function write(
  native: NativeRing,
  id: number,
  fd: number,
  bytes: Uint8Array,
  start: number,
  length: number,
  position: number,
  flags: number,
  timeout: number,
): number {
  const { given } = native
  give(given, id, fd, length, position, flags, timeout)
  given[Given.START] = start
  return native.write(bytes)
}

/** Out of a region: no copy. */
export function writeRegion(
  native: NativeRing,
  id: number,
  fd: number,
  region: number,
  start: number,
  length: number,
  position: number,
  flags: number,
  timeout: number,
): number {
  const { given } = native
  give(given, id, fd, length, position, flags, timeout)
  given[Given.REGION] = region
  given[Given.START] = start
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

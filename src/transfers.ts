/** Reads and writes in their one form, brought to the native side: by region where no copy is needed. */
import { type Engine, flagsOf, timeoutOf } from './engine.js'
import { Kind } from './operation.js'
import type { Transfer } from './requests.js'

/** Reads. */
export function read(engine: Engine, fd: number, holder: unknown, request: Transfer): Promise<unknown> {
  const { options, start, length, position } = request
  const early = engine.refuseEarly(options)
  if (early !== undefined) return early
  let { view, bytes } = request
  if (bytes === undefined) {
    if (engine.isFull) {
      // It waits, and no ArrayBuffer waits with it: that is made when its bytes are there.
      const late = engine.begin(Kind.READ_ADOPT, 'read', fd, holder, options)
      late.given = length
      const answer = engine.native.read(late.id, fd, length, position, flagsOf(options), timeoutOf(options))
      return engine.begun(late, answer)
    }
    view = bytes = engine.memory.slice(length)
  }
  const region = engine.memory.regionOf(bytes)
  const operation = engine.begin(Kind.READ, 'read', fd, holder, options)
  operation.given = view
  operation.parts = [{ bytes, start, length, region }]
  const { id } = operation
  const { native } = engine
  const flags = flagsOf(options)
  const timeout = timeoutOf(options)
  if (region < 0) return engine.begun(operation, native.read(id, fd, length, position, flags, timeout))
  const from = bytes.byteOffset + start
  return engine.begun(operation, native.readRegion(id, fd, region, from, length, position, flags, timeout))
}

/** Writes; `given` is what the result gives back. */
export function write(
  engine: Engine,
  fd: number,
  holder: unknown,
  request: Transfer<Uint8Array>,
  given: unknown,
): Promise<unknown> {
  const { options, bytes, start, length, position } = request
  const early = engine.refuseEarly(options)
  if (early !== undefined) return early
  const region = engine.memory.regionOf(bytes)
  const operation = engine.begin(Kind.WRITE, 'write', fd, holder, options)
  operation.given = given
  const { id } = operation
  const { native } = engine
  const flags = flagsOf(options)
  const timeout = timeoutOf(options)
  const answer =
    region < 0
      ? native.write(id, fd, bytes, start, length, position, flags, timeout)
      : native.writeRegion(id, fd, region, bytes.byteOffset + start, length, position, flags, timeout)
  return engine.begun(operation, answer)
}

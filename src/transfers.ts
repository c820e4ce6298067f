/** Reads and writes: FileHandle's overloads, checked and brought to the native side: by region where no copy is needed. */
import { type Engine, flagsOf, timeoutOf } from './engine.js'
import { invalidType, invalidValue } from './errors.js'
import { Kind } from './kind.js'
import type { Operation } from './operation.js'
import { settleRead } from './reads.js'
import {
  bytesOf,
  checkInteger,
  checkOptions,
  DEFAULT_LENGTH,
  fdNumber,
  isEncoding,
  isOptions,
  isView,
  MAX_LENGTH,
  type OperationOptions,
  operationOptions,
  positionOf,
} from './requests.js'
import { settleWith } from './settle.js'
import * as submissions from './submissions.js'

function readResult(bytesRead: number, buffer: unknown): object {
  return { bytesRead, buffer }
}

const READ = new Kind<Operation>('read', (operation, result, status, attempts) =>
  settleRead(operation, result, status, attempts, readResult),
)

/** A read without a buffer that waits for room: its buffer is made when its bytes are there. */
const READ_LATE = new Kind<Operation>('read', (operation, result, status, attempts) => {
  const length = Number(operation.given)
  const bytes = Buffer.alloc(length)
  operation.given = bytes
  operation.part = { bytes, start: 0, length, region: -1, next: undefined }
  return settleRead(operation, result, status, attempts, readResult)
})

const WRITE = new Kind<Operation>('write', (operation, bytesWritten, _status, attempts) =>
  settleWith(operation, { bytesWritten, buffer: operation.given }, attempts),
)

/** read(fd, buffer, offset, length, position, options), (fd, buffer, options), (fd, options), (fd) */
export function read(
  engine: Engine,
  fd: unknown,
  buffer: unknown,
  offset: unknown,
  length: unknown,
  position: unknown,
  options: unknown,
): Promise<unknown> {
  const number = fdNumber(fd)
  if (isOptions(buffer)) {
    const { buffer: into, offset: start, length: wanted, position: where } = buffer
    return readInto(engine, number, fd, into, start, wanted, where, operationOptions(buffer))
  }
  if (isOptions(offset)) {
    const into = buffer ?? offset['buffer']
    const { offset: start, length: wanted, position: where } = offset
    return readInto(engine, number, fd, into, start, wanted, where, operationOptions(offset))
  }
  return readInto(engine, number, fd, buffer, offset, length, position, checkOptions(options))
}

function readInto(
  engine: Engine,
  fd: number,
  holder: unknown,
  view: unknown,
  offset: unknown,
  length: unknown,
  position: unknown,
  options: OperationOptions | undefined,
): Promise<unknown> {
  if (view === undefined || view === null) {
    return readNew(engine, fd, holder, offset, length, position, options)
  }
  if (!isView(view)) throw invalidType('buffer', 'an instance of Buffer, TypedArray, or DataView', view)
  const bytes = bytesOf('buffer', view)
  const size = bytes.byteLength
  const start = offset ?? 0
  checkInteger('offset', start, 0, size)
  const most = Math.min(size - start, MAX_LENGTH)
  const wanted = length ?? most
  checkInteger('length', wanted, 0, most)
  const where = positionOf(position)
  const early = engine.refuseEarly(options)
  if (early !== undefined) return early
  const region = engine.memory.regionOf(bytes)
  return submitRead(engine, fd, holder, view, bytes, region, start, wanted, where, options)
}

/** What has been checked. */
function submitRead(
  engine: Engine,
  fd: number,
  holder: unknown,
  view: NodeJS.ArrayBufferView,
  bytes: Uint8Array,
  region: number,
  start: number,
  length: number,
  position: number,
  options: OperationOptions | undefined,
): Promise<unknown> {
  const operation = engine.begin(READ, fd, holder, options)
  operation.given = view
  operation.part = { bytes, start, length, region, next: undefined }
  const { native } = engine
  const { id } = operation
  const flags = flagsOf(options)
  const timeout = timeoutOf(options)
  const answer =
    region < 0
      ? submissions.read(native, id, fd, length, position, flags, timeout)
      : submissions.readRegion(
          native,
          id,
          fd,
          region,
          bytes.byteOffset + start,
          length,
          position,
          flags,
          timeout,
        )
  if (answer >= 0 && operation.cancellation === undefined) return operation.promise
  return engine.begun(operation, answer)
}

/** Reads without a buffer. */
function readNew(
  engine: Engine,
  fd: number,
  holder: unknown,
  offset: unknown,
  length: unknown,
  position: unknown,
  options: OperationOptions | undefined,
): Promise<unknown> {
  const wanted = length ?? DEFAULT_LENGTH
  // What is made for the result begins where the result does.
  checkInteger('offset', offset ?? 0, 0, 0)
  checkInteger('length', wanted, 0, MAX_LENGTH)
  const where = positionOf(position)
  const early = engine.refuseEarly(options)
  if (early !== undefined) return early
  if (!engine.isFull) {
    const { memory } = engine
    const made = memory.slice(wanted)
    return submitRead(engine, fd, holder, made, made, memory.sliceRegion, 0, wanted, where, options)
  }
  // It waits, and no ArrayBuffer waits with it: that is made when its bytes are there.
  const late = engine.begin(READ_LATE, fd, holder, options)
  late.given = wanted
  const answer = submissions.read(
    engine.native,
    late.id,
    fd,
    wanted,
    where,
    flagsOf(options),
    timeoutOf(options),
  )
  if (answer >= 0 && late.cancellation === undefined) return late.promise
  return engine.begun(late, answer)
}

/** write(fd, buffer, offset, length, position, options), (fd, buffer, options), (fd, string, position, encoding, options) */
export function write(
  engine: Engine,
  fd: unknown,
  data: unknown,
  offset: unknown,
  length: unknown,
  position: unknown,
  options: unknown,
): Promise<unknown> {
  const number = fdNumber(fd)
  if (typeof data === 'string') return writeText(engine, number, fd, data, offset, length, position)
  if (!isView(data)) {
    throw invalidType('buffer', 'of type string or an instance of Buffer, TypedArray, or DataView', data)
  }
  const bytes = bytesOf('buffer', data)
  if (isOptions(offset)) {
    const { offset: start, length: wanted, position: where } = offset
    return writeFrom(engine, number, fd, data, bytes, start, wanted, where, operationOptions(offset))
  }
  return writeFrom(engine, number, fd, data, bytes, offset, length, position, checkOptions(options))
}

/** (string, options), or FileHandle's form for strings: (string, position, encoding, options). */
function writeText(
  engine: Engine,
  fd: number,
  holder: unknown,
  text: string,
  position: unknown,
  encoding: unknown,
  options: unknown,
): Promise<unknown> {
  if (isOptions(position)) {
    const { offset, length, position: where } = position
    const bytes = Buffer.from(text)
    return writeFrom(engine, fd, holder, text, bytes, offset, length, where, operationOptions(position))
  }
  const [name, given] = isOptions(encoding) ? [undefined, encoding] : [encoding, options]
  if (name !== undefined && name !== null && !isEncoding(name)) {
    throw invalidValue('encoding', 'is not a known encoding', name)
  }
  const bytes = Buffer.from(text, name ?? 'utf8')
  return writeFrom(engine, fd, holder, text, bytes, 0, undefined, position, checkOptions(given))
}

/** `given` is what the result gives back. */
function writeFrom(
  engine: Engine,
  fd: number,
  holder: unknown,
  given: unknown,
  bytes: Uint8Array,
  offset: unknown,
  length: unknown,
  position: unknown,
  options: OperationOptions | undefined,
): Promise<unknown> {
  const size = bytes.byteLength
  const start = offset ?? 0
  checkInteger('offset', start, 0, size)
  const most = Math.min(size - start, MAX_LENGTH)
  const wanted = length ?? most
  checkInteger('length', wanted, 0, most)
  const where = positionOf(position)
  const early = engine.refuseEarly(options)
  if (early !== undefined) return early
  const region = engine.memory.regionOf(bytes)
  const operation = engine.begin(WRITE, fd, holder, options)
  operation.given = given
  const { native } = engine
  const { id } = operation
  const flags = flagsOf(options)
  const timeout = timeoutOf(options)
  const answer =
    region < 0
      ? submissions.write(native, id, fd, bytes, start, wanted, where, flags, timeout)
      : submissions.writeRegion(
          native,
          id,
          fd,
          region,
          bytes.byteOffset + start,
          wanted,
          where,
          flags,
          timeout,
        )
  if (answer >= 0 && operation.cancellation === undefined) return operation.promise
  return engine.begun(operation, answer)
}

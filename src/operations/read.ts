/** Reads: FileHandle's overloads, checked and brought to the native side: by region where no copy is needed. */
import { bytesOf, isView, lengthOf, MAX_LENGTH, startOf } from '../arguments/bytes.js'
import { checkInteger, isOptions } from '../arguments/checks.js'
import { type FdLike, fdNumber } from '../arguments/descriptor.js'
import { checkOptions, type OperationOptions, operationOptions, type Settles } from '../arguments/options.js'
import { positionOf } from '../arguments/position.js'
import type { Part } from '../engine/destination.js'
import { engineOf } from '../engine/engine-of.js'
import type { Engine } from '../engine/engine.js'
import { Kind } from '../engine/kind.js'
import type { Operation } from '../engine/operation.js'
import { settleRead } from '../engine/reads.js'
import { invalidType } from '../errors.js'
import { read, readKept } from '../native/hot-calls.js'

/**
 * Options of a read, in FileHandle's form.
 *
 * @example
 * ```ts
 * const { buffer } = await ring.read(fd, { buffer: Buffer.alloc(512), offset: 12, length: 500, position: 4096 })
 * ```
 */
export interface ReadOptions<
  T extends NodeJS.ArrayBufferView = NodeJS.ArrayBufferView,
> extends OperationOptions {
  /** Where the bytes go. Without one, core memory is allocated, and nothing is copied. */
  buffer?: T | undefined
  /** Where in the buffer (default 0), in bytes. */
  offset?: number | null | undefined
  /** How many bytes at most (default: what the buffer has; without a buffer 16384). */
  length?: number | null | undefined
  /** Where in the file, in bytes. `null`, the default, is the current position. */
  position?: number | bigint | null | undefined
}

/**
 * What a read resolves to: FileHandle's shape.
 *
 * @example
 * ```ts
 * const { bytesRead, buffer } = await ring.read(fd)
 * const text = buffer.toString('utf8', 0, bytesRead)
 * ```
 */
export interface ReadResult<T extends NodeJS.ArrayBufferView = Buffer> {
  /** How many bytes came. 0 at the end of a file. */
  bytesRead: number
  /** The buffer that was given, or made. */
  buffer: T
}

/** As FileHandle.read allocates. */
const DEFAULT_LENGTH = 16_384

function readResult(bytesRead: number, buffer: unknown): object {
  return { bytesRead, buffer }
}

const READ = new Kind<Operation>('read', (operation, result, status, attempts) =>
  settleRead(operation, result, status, attempts, readResult),
)

/** A read without a buffer that waits for room: its buffer is made when its bytes are there. */
const READ_LATE = new Kind<Operation>('read', (operation, result, status, attempts) => {
  const length = Number(operation.subject)
  const bytes = Buffer.alloc(length)
  operation.subject = bytes
  operation.part = { bytes, start: 0, length, region: -1, next: undefined }
  return settleRead(operation, result, status, attempts, readResult)
})

export abstract class ReadOperation {
  /**
   * Reads, with FileHandle.read's overloads: `(fd, buffer, offset, length, position, options)`, `(fd, buffer,
   * options)`, `(fd, options)`, `(fd)`.
   *
   * `offset`, `length` and `position` are in bytes; the result may be shorter than `length`, as read(2)'s, and is 0 at the
   * end of a file. It waits for as long as there is nothing to read, on an O_NONBLOCK descriptor as well.
   *
   * A buffer of {@link alloc}, and the one that is made where none is given, is read into directly; any other gets a
   * copy, in pieces of 1 MiB if it is larger, each in a turn of the event loop. Where the destination was detached or
   * shrunk meanwhile, it rejects with an {@link InvalidStateError}, which has the bytes in `data`.
   *
   * Cancelled, it has taken nothing from the descriptor. If bytes were there first, it resolves to them.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); EBADF, EISDIR, EIO, ... of read(2).
   * @example
   * ```ts
   * const { bytesRead, buffer } = await ring.read(fd, Buffer.alloc(4096), { position: 0, timeout: 500 })
   * ```
   */
  read<T extends NodeJS.ArrayBufferView>(
    fd: FdLike,
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<ReadResult<T>>
  read<T extends NodeJS.ArrayBufferView, O extends OperationOptions>(
    fd: FdLike,
    buffer: T,
    offset: number | null | undefined,
    length: number | null | undefined,
    position: number | bigint | null | undefined,
    options: O,
  ): Promise<Settles<ReadResult<T>, O>>
  read<T extends NodeJS.ArrayBufferView, O extends ReadOptions>(
    fd: FdLike,
    buffer: T,
    options: O,
  ): Promise<Settles<ReadResult<T>, O>>
  read<T extends NodeJS.ArrayBufferView, O extends ReadOptions<T>>(
    fd: FdLike,
    options: O & { buffer: T },
  ): Promise<Settles<ReadResult<T>, O>>
  read<O extends ReadOptions>(fd: FdLike, options?: O): Promise<Settles<ReadResult, O>>
  read(
    fd: FdLike,
    buffer?: unknown,
    offset?: unknown,
    length?: unknown,
    position?: unknown,
    options?: unknown,
  ): Promise<unknown> {
    const engine = engineOf(this)
    try {
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
    } catch (error) {
      return engine.refuse(error)
    }
  }
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
  const start = startOf(bytes, offset)
  const wanted = lengthOf(bytes, start, length)
  const where = positionOf(position)
  const early = engine.refuseEarly(options)
  if (early !== undefined) return early
  const region = engine.memory.regionOf(bytes)
  const part: Part = { bytes, start, length: wanted, region, next: undefined }
  return readTo(engine, fd, holder, view, part, where, options)
}

/** What has been checked. */
function readTo(
  engine: Engine,
  fd: number,
  holder: unknown,
  view: NodeJS.ArrayBufferView,
  part: Part,
  position: number,
  options: OperationOptions | undefined,
): Promise<unknown> {
  const operation = engine.begin(READ, fd, holder, options)
  operation.subject = view
  operation.part = part
  const answer = read(engine.native, operation, part, position)
  if (answer >= 0 && operation.cancellation === undefined) return operation.promise
  return engine.answered(operation, answer)
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
    const part: Part = { bytes: made, start: 0, length: wanted, region: memory.sliceRegion, next: undefined }
    return readTo(engine, fd, holder, made, part, where, options)
  }
  // It waits, and no ArrayBuffer waits with it: that is made when its bytes are there.
  const late = engine.begin(READ_LATE, fd, holder, options)
  late.subject = wanted
  const answer = readKept(engine.native, late, wanted, where)
  if (answer >= 0 && late.cancellation === undefined) return late.promise
  return engine.answered(late, answer)
}

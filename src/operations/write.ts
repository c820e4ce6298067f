/** Writes: FileHandle's overloads, checked and brought to the native side: by region where no copy is needed. */
import { bytesOf, isView, lengthOf, startOf } from '../arguments/bytes.js'
import { isOptions } from '../arguments/checks.js'
import { type FdLike, fdNumber } from '../arguments/descriptor.js'
import { checkOptions, type OperationOptions, operationOptions, type Settles } from '../arguments/options.js'
import { positionOf } from '../arguments/position.js'
import { engineOf } from '../engine/engine-of.js'
import type { Engine } from '../engine/engine.js'
import { Kind } from '../engine/kind.js'
import type { Operation } from '../engine/operation.js'
import { settleWith } from '../engine/verdicts.js'
import { invalidType, invalidValue } from '../errors.js'
import { write } from '../native/hot-calls.js'

/**
 * Options of a write, in FileHandle's form.
 *
 * @example
 * ```ts
 * await ring.write(fd, Buffer.from('a line\n'), { position: 0, timeout: 1000 })
 * ```
 */
export interface WriteOptions extends OperationOptions {
  /** Where in the buffer (default 0), in bytes. */
  offset?: number | null | undefined
  /** How many bytes (default: the rest of the buffer). */
  length?: number | null | undefined
  /** Where in the file, in bytes. `null`, the default, is the current position. */
  position?: number | bigint | null | undefined
}

/**
 * What a write resolves to: FileHandle's shape.
 *
 * @example
 * ```ts
 * const line = Buffer.from('a line\n')
 * for (let sent = 0; sent < line.length; ) sent += (await ring.write(fd, line.subarray(sent))).bytesWritten
 * ```
 */
export interface WriteResult<T = NodeJS.ArrayBufferView> {
  /** How many bytes went: perhaps fewer than there were, as with write(2). */
  bytesWritten: number
  /** What was given. */
  buffer: T
}

const WRITE = new Kind<Operation>('write', (operation, bytesWritten, _status, attempts) =>
  settleWith(operation, { bytesWritten, buffer: operation.subject }, attempts),
)

export abstract class WriteOperation {
  /**
   * Writes, with FileHandle.write's overloads: `(fd, buffer, offset, length, position, options)`, `(fd, buffer,
   * options)`, `(fd, string, position, encoding, options)`.
   *
   * `offset`, `length` and `position` are in bytes; fewer may be written than were given, as by write(2), above all on pipes
   * and sockets. It waits for room, on an O_NONBLOCK descriptor as well. The bytes are those of the call: the buffer may be changed at once. Only a buffer of
   * {@link alloc} is not copied, and must be left alone until the promise settles.
   *
   * Cancelled, it has written nothing. If bytes went first, it resolves to how many.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); EBADF, EPIPE, ENOSPC, ... of write(2).
   * @example
   * ```ts
   * const { bytesWritten } = await ring.write(fd, 'a line\n', null, 'utf8', { timeout: 500 })
   * ```
   */
  write<T extends NodeJS.ArrayBufferView>(
    fd: FdLike,
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<WriteResult<T>>
  write<T extends NodeJS.ArrayBufferView, O extends OperationOptions>(
    fd: FdLike,
    buffer: T,
    offset: number | null | undefined,
    length: number | null | undefined,
    position: number | bigint | null | undefined,
    options: O,
  ): Promise<Settles<WriteResult<T>, O>>
  write<T extends NodeJS.ArrayBufferView, O extends WriteOptions>(
    fd: FdLike,
    buffer: T,
    options: O,
  ): Promise<Settles<WriteResult<T>, O>>
  write<O extends WriteOptions>(
    fd: FdLike,
    text: string,
    options: O,
  ): Promise<Settles<WriteResult<string>, O>>
  write<O extends OperationOptions>(
    fd: FdLike,
    text: string,
    position?: number | bigint | null,
    encoding?: BufferEncoding | null,
    options?: O,
  ): Promise<Settles<WriteResult<string>, O>>
  write(
    fd: FdLike,
    data: unknown,
    offset?: unknown,
    length?: unknown,
    position?: unknown,
    options?: unknown,
  ): Promise<unknown> {
    const engine = engineOf(this)
    try {
      const number = fdNumber(fd)
      if (typeof data === 'string') return writeText(engine, number, fd, data, offset, length, position)
      if (!isView(data)) {
        throw invalidType('buffer', 'of type string or an instance of Buffer, TypedArray, or DataView', data)
      }
      const bytes = bytesOf('buffer', data)
      if (isOptions(offset)) {
        const { offset: start, length: wanted, position: where } = offset
        const checked = operationOptions(offset)
        return writeFrom(engine, number, fd, data, extentOf(bytes, start, wanted), where, checked)
      }
      const checked = checkOptions(options)
      return writeFrom(engine, number, fd, data, extentOf(bytes, offset, length), position, checked)
    } catch (error) {
      return engine.refuse(error)
    }
  }
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
    const checked = operationOptions(position)
    return writeFrom(engine, fd, holder, text, extentOf(bytes, offset, length), where, checked)
  }
  const [name, last] = isOptions(encoding) ? [undefined, encoding] : [encoding, options]
  if (name !== undefined && name !== null && !isEncoding(name)) {
    throw invalidValue('encoding', 'is not a known encoding', name)
  }
  const bytes = Buffer.from(text, name ?? 'utf8')
  const checked = checkOptions(last)
  return writeFrom(engine, fd, holder, text, extentOf(bytes, 0, undefined), position, checked)
}

/** What a write is about. */
interface Extent {
  bytes: Uint8Array
  start: number
  length: number
}

function extentOf(bytes: Uint8Array, offset: unknown, length: unknown): Extent {
  const start = startOf(bytes, offset)
  return { bytes, start, length: lengthOf(bytes, start, length) }
}

/** `subject` is what the result gives back. */
function writeFrom(
  engine: Engine,
  fd: number,
  holder: unknown,
  subject: unknown,
  extent: Extent,
  position: unknown,
  options: OperationOptions | undefined,
): Promise<unknown> {
  const where = positionOf(position)
  const early = engine.refuseEarly(options)
  if (early !== undefined) return early
  const region = engine.memory.regionOf(extent.bytes)
  const operation = engine.begin(WRITE, fd, holder, options)
  operation.subject = subject
  const answer = write(engine.native, operation, extent, region, where)
  if (answer >= 0 && operation.cancellation === undefined) return operation.promise
  return engine.answered(operation, answer)
}

function isEncoding(value: unknown): value is BufferEncoding {
  return typeof value === 'string' && Buffer.isEncoding(value)
}

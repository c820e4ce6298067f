/** Reads and writes of several buffers, as one. */
import { viewsOf } from '../arguments/bytes.js'
import { type FdLike, fdNumber } from '../arguments/descriptor.js'
import { checkOptions, type OperationOptions, type Settles } from '../arguments/options.js'
import { positionOf } from '../arguments/position.js'
import { type Part, partsOf } from '../engine/destination.js'
import { engineOf } from '../engine/engine-of.js'
import type { Engine } from '../engine/engine.js'
import { Kind } from '../engine/kind.js'
import type { Operation } from '../engine/operation.js'
import { settleRead } from '../engine/reads.js'
import { settleWith } from '../engine/verdicts.js'
import { readv, writev } from '../native/rare-calls.js'

/**
 * What readv resolves to.
 *
 * @example
 * ```ts
 * const { bytesRead, buffers } = await ring.readv(fd, [Buffer.alloc(16), Buffer.alloc(1024)])
 * ```
 */
export interface ReadVectorResult<T extends readonly NodeJS.ArrayBufferView[]> {
  /** How many bytes came, in all. */
  bytesRead: number
  /** The buffers that were given. */
  buffers: T
}

/**
 * What writev resolves to.
 *
 * @example
 * ```ts
 * const { bytesWritten } = await ring.writev(fd, [Buffer.from('head'), Buffer.from('body')])
 * ```
 */
export interface WriteVectorResult<T extends readonly NodeJS.ArrayBufferView[]> {
  /** How many bytes went, in all. */
  bytesWritten: number
  /** The buffers that were given. */
  buffers: T
}

const READV = new Kind<Operation>('readv', (operation, result, status, attempts) =>
  settleRead(operation, result, status, attempts, (bytesRead, buffers) => ({ bytesRead, buffers })),
)

const WRITEV = new Kind<Operation>('writev', (operation, bytesWritten, _status, attempts) =>
  settleWith(operation, { bytesWritten, buffers: operation.subject }, attempts),
)

export abstract class VectoredOperations {
  /**
   * Reads into several buffers, one after the other, as one readv(2); at most 1024 of them. `position` is in bytes. For
   * the rest it is as {@link read}, also when cancelled.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); those of readv(2); {@link InvalidStateError}.
   * @example
   * ```ts
   * const [head, body] = [Buffer.alloc(16), Buffer.alloc(1024)]
   * const { bytesRead } = await ring.readv(fd, [head, body], 0)
   * ```
   */
  readv<T extends readonly NodeJS.ArrayBufferView[], O extends OperationOptions>(
    fd: FdLike,
    buffers: T,
    position?: number | bigint | null,
    options?: O,
  ): Promise<Settles<ReadVectorResult<T>, O>>
  readv(fd: FdLike, buffers: unknown, position?: unknown, options?: unknown): Promise<unknown> {
    return vectored(engineOf(this), READV, fd, options, (engine, operation) => {
      const parts = partsOf(viewsOf(buffers), engine.memory)
      const where = positionOf(position)
      operation.subject = buffers
      operation.part = parts[0]
      return readv(engine.native, operation, triplesOf(parts), where)
    })
  }

  /**
   * Writes several buffers as one writev(2); at most 1024 of them. `position` is in bytes. The bytes are those of the
   * call. For the rest it is as {@link write}, also when cancelled.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); those of writev(2).
   * @example
   * ```ts
   * const { bytesWritten } = await ring.writev(fd, [Buffer.from('head'), Buffer.from('body')])
   * ```
   */
  writev<T extends readonly NodeJS.ArrayBufferView[], O extends OperationOptions>(
    fd: FdLike,
    buffers: T,
    position?: number | bigint | null,
    options?: O,
  ): Promise<Settles<WriteVectorResult<T>, O>>
  writev(fd: FdLike, buffers: unknown, position?: unknown, options?: unknown): Promise<unknown> {
    return vectored(engineOf(this), WRITEV, fd, options, (engine, operation) => {
      const views = viewsOf(buffers)
      const where = positionOf(position)
      const triples = triplesOf(partsOf(views, engine.memory))
      operation.subject = buffers
      return writev(engine.native, operation, triples, views, where)
    })
  }
}

/**
 * The operation begins before the program's array is read: that may run code of the program's, which may cancel what it has
 * called. Nothing in `submit` comes after the native call.
 */
function vectored(
  engine: Engine,
  kind: Kind<Operation>,
  fd: unknown,
  options: unknown,
  submit: (engine: Engine, operation: Operation) => number,
): Promise<unknown> {
  try {
    const number = fdNumber(fd)
    const checked = checkOptions(options)
    const early = engine.refuseEarly(checked)
    if (early !== undefined) return early
    const operation = engine.begin(kind, number, fd, checked)
    let answer: number
    try {
      answer = submit(engine, operation)
    } catch (error) {
      return engine.withdraw(operation, error)
    }
    if (answer >= 0 && operation.cancellation === undefined) return operation.promise
    return engine.answered(operation, answer)
  } catch (error) {
    return engine.refuse(error)
  }
}

/** As the native side takes them: region, start and length of each. */
function triplesOf(parts: Part[]): Float64Array {
  return new Float64Array(parts.flatMap(({ bytes, length, region }) => [region, bytes.byteOffset, length]))
}

/** What was written, brought to the disk. */
import { type FdLike, fdNumber } from '../arguments/descriptor.js'
import { checkOptions, type OperationOptions, type Settles } from '../arguments/options.js'
import { engineOf } from '../engine/engine-of.js'
import type { Engine } from '../engine/engine.js'
import { Kind } from '../engine/kind.js'
import type { Operation } from '../engine/operation.js'
import { completeNothing } from '../engine/verdicts.js'
import { Code } from '../native/protocol.js'
import { submit } from '../native/rare-calls.js'

const FSYNC = new Kind('fsync', completeNothing)
const FDATASYNC = new Kind('fdatasync', completeNothing)

export abstract class SyncOperations {
  /**
   * Brings a file's content and metadata to the disk. A cancel comes too late once the disk has begun: it then ends as if it
   * had not been cancelled.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); EBADF, EINVAL, EIO, ... of fsync(2).
   * @example
   * ```ts
   * await ring.write(fd, 'a line\n')
   * await ring.fsync(fd)
   * ```
   */
  fsync<O extends OperationOptions>(fd: FdLike, options?: O): Promise<Settles<void, O>>
  fsync(fd: FdLike, options?: unknown): Promise<unknown> {
    return sync(engineOf(this), FSYNC, 0, fd, options)
  }

  /**
   * Brings a file's content to the disk, and of its metadata only what reading it needs. For the rest it is as
   * {@link fsync}, also when cancelled.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); those of fdatasync(2).
   * @example
   * ```ts
   * await ring.fdatasync(fd)
   * ```
   */
  fdatasync<O extends OperationOptions>(fd: FdLike, options?: O): Promise<Settles<void, O>>
  fdatasync(fd: FdLike, options?: unknown): Promise<unknown> {
    return sync(engineOf(this), FDATASYNC, 1, fd, options)
  }
}

function sync(
  engine: Engine,
  kind: Kind<Operation>,
  dataOnly: 0 | 1,
  fd: unknown,
  options: unknown,
): Promise<unknown> {
  try {
    const number = fdNumber(fd)
    const checked = checkOptions(options)
    const early = engine.refuseEarly(checked)
    if (early !== undefined) return early
    const operation = engine.begin(kind, number, fd, checked)
    const answer = submit(engine.native, operation, Code.SYNC, { first: dataOnly })
    if (answer >= 0 && operation.cancellation === undefined) return operation.promise
    return engine.answered(operation, answer)
  } catch (error) {
    return engine.refuse(error)
  }
}

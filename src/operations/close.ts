/** Closing, which nothing refuses and no cancel reaches. */
import { type FdLike, fdNumber } from '../arguments/descriptor.js'
import { closeWithoutRing, noteClosed, ownersClose } from '../descriptors/owners.js'
import { engineOf } from '../engine/engine-of.js'
import type { Engine } from '../engine/engine.js'
import { Kind } from '../engine/kind.js'
import { completeNothing } from '../engine/verdicts.js'
import { Code } from '../native/protocol.js'
import { submit } from '../native/rare-calls.js'

const CLOSE = new Kind('close', completeNothing, { isCancellable: false })

export abstract class CloseOperation {
  /**
   * Cancels the ring's operations on a descriptor, and closes it. Takes no signal: it always closes, even if the ring is
   * full, closed or destroyed.
   *
   * A FileHandle, or another object with a `close` method, is closed by that; and in a worker thread, or in Deno, a number
   * that node:fs opened is closed by node:fs, which would otherwise close it once more later. What this library opened in a
   * worker has to be closed there, by this.
   *
   * @throws (as a rejection) TypeError and RangeError for what is no descriptor; EBADF and EIO of close(2).
   * @example
   * ```ts
   * const reading = ring.read(fd, { onCancel: 'resolve' })
   * await ring.closeFd(fd)
   * console.log((await reading) === CANCELLED)
   * ```
   */
  async closeFd(fd: FdLike): Promise<void> {
    const engine = engineOf(this)
    const number = fdNumber(fd)
    const closeByOwner = ownersClose(fd, number)
    if (closeByOwner !== undefined) {
      engine.cancelEach(engine.operations.on(fd, number))
      await closeByOwner()
    } else if (engine.life === 'closed') {
      const submission = { id: 0, fd: number, flags: 0, timeout: 0 }
      await closeWithoutRing(number, () => submit(engine.native, submission, Code.CLOSE))
    } else {
      await closeNumber(engine, fd, number)
    }
  }
}

function closeNumber(engine: Engine, fd: FdLike, number: number): Promise<unknown> {
  try {
    const operation = engine.begin(CLOSE, number, fd, undefined)
    engine.cancelEach(engine.operations.on(fd, number))
    // Before the call, behind which nothing may throw.
    noteClosed(number)
    const answer = submit(engine.native, operation, Code.CLOSE)
    if (answer >= 0 && operation.cancellation === undefined) return operation.promise
    return engine.answered(operation, answer)
  } catch (error) {
    return engine.refuse(error)
  }
}

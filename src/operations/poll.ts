/** Readiness, as poll(2) tells it. */
import { checkInteger } from '../arguments/checks.js'
import { type FdLike, fdNumber } from '../arguments/descriptor.js'
import { checkOptions, type OperationOptions, type Settles } from '../arguments/options.js'
import { engineOf } from '../engine/engine-of.js'
import { Kind } from '../engine/kind.js'
import type { Operation } from '../engine/operation.js'
import { settleWith } from '../engine/verdicts.js'
import { Code } from '../native/protocol.js'
import { submit } from '../native/rare-calls.js'

/**
 * The events of {@link Ring.poll}, as in poll(2): bits of a mask.
 *
 * @example
 * ```ts
 * const events = await ring.poll(fd, PollEvents.POLLIN | PollEvents.POLLPRI)
 * if ((events & PollEvents.POLLHUP) !== 0) console.log('the other end is closed')
 * ```
 */
export const PollEvents = {
  /** There is something to read. */
  POLLIN: 0x001,
  /** There is something urgent. */
  POLLPRI: 0x002,
  /** There is room to write. */
  POLLOUT: 0x004,
  /** There is an error; never asked for. */
  POLLERR: 0x008,
  /** The other end is closed; never asked for. */
  POLLHUP: 0x010,
} as const

/** Masks of poll(2) are shorts: the bits that may be asked for. */
const MOST_EVENTS = 0x7fff

const POLL = new Kind<Operation>('poll', (operation, events, _status, attempts) =>
  settleWith(operation, events, attempts),
)

export abstract class PollOperation {
  /**
   * Waits until one of `events` holds (a mask as in poll(2), see {@link PollEvents}), and resolves to the mask of those
   * that do, which may have POLLERR and POLLHUP unasked. Cancelled, it has changed nothing.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); EBADF.
   * @example
   * ```ts
   * const events = await ring.poll(fd, PollEvents.POLLIN, { timeout: 1000 })
   * ```
   */
  poll<O extends OperationOptions>(fd: FdLike, events: number, options?: O): Promise<Settles<number, O>>
  poll(fd: FdLike, events: unknown, options?: unknown): Promise<unknown> {
    const engine = engineOf(this)
    try {
      const number = fdNumber(fd)
      const checked = checkOptions(options)
      const early = engine.refuseEarly(checked)
      if (early !== undefined) return early
      checkInteger('events', events, 0, MOST_EVENTS)
      const operation = engine.begin(POLL, number, fd, checked)
      const answer = submit(engine.native, operation, Code.POLL, { first: events })
      if (answer >= 0 && operation.cancellation === undefined) return operation.promise
      return engine.answered(operation, answer)
    } catch (error) {
      return engine.refuse(error)
    }
  }
}

/**
 * The traffic of one ring: ids out, completions back. It batches submissions into one flush for each run of
 * microtasks, and settles promises from the array that the native side fills.
 */
// Not the global ones: tests of programs put clocks of their own in their place.
import { setImmediate, setTimeout } from 'node:timers'

import type { OperationOptions } from '../arguments/options.js'
import type { ResolvedOptions } from '../arguments/ring-options.js'
import { abortError, CANCELLED, closedError } from '../errors.js'
import { hasLibuv } from '../native/addon/runtime.js'
import { forbidden } from '../native/addon/unavailable.js'
import { CoreMemory } from '../native/core-memory.js'
import type { NativeReport, NativeRing } from '../native/native-functions.js'
import { createNative } from '../native/native-ring.js'
import { COMPLETION_WORDS, FIRST_COMPLETION, Header, Refusal, Status } from '../native/protocol.js'
import { refusalError } from '../native/refusals.js'
import { reasonOf, unwatchSignal, watchSignal } from './abort.js'
import { CopyQueue } from './copies.js'
import { Kind } from './kind.js'
import { OperationTable } from './operation-table.js'
import { Operation, type Owner } from './operation.js'
import { completeNothing, settleCancelled, settleFailed, settleStuck } from './verdicts.js'

const RESOLVED = Promise.resolve()
/** How soon to try again where the kernel took no submissions. */
const AGAIN_MILLISECONDS = 1

/** A call that never began. */
const NONE = new Kind('', completeNothing)

/** Engines with operations pending: nobody else need hold them, and they must not be collected. */
const busy = new Set<Engine>()

/** Closes the ring of an engine that nobody can reach any more. Nothing was pending on it. */
const collected = new FinalizationRegistry<NativeRing>((native) => {
  native.close()
  native.finish()
})

/** What the event loop calls. It must not hold the engine: the native side holds it for ever. */
function takerOf(engine: WeakRef<Engine>): (count: number) => void {
  return (count) => engine.deref()?.takeCompletions(count)
}

/**
 * A ring's life. `closing`: it takes no more operations, and finishes those there are; `destroying`: it has cancelled them;
 * `closed`: none is left, and the native ring is gone.
 */
export type Life = 'open' | 'closing' | 'destroying' | 'closed'

/** What an engine tells its ring. */
export interface EngineEvents {
  stuck(operation: Operation, report: NativeReport): void
  drained(): void
}

export class Engine implements Owner {
  readonly native: NativeRing
  readonly memory: CoreMemory
  readonly copies: CopyQueue
  /** The operations that have not settled. */
  readonly operations = new OperationTable()
  readonly #words: Int32Array
  readonly #events: EngineEvents
  /** Promises that are rejected for want of stack, and that the program never saw. */
  readonly #orphans: Promise<unknown>[] = []
  readonly #hasTurns = hasLibuv()
  #isFlushScheduled = false
  #isTurnScheduled = false
  #isRetryScheduled = false
  #isBusy = false
  #life: Life = 'open'

  constructor(options: ResolvedOptions, events: EngineEvents) {
    this.#events = events
    this.native = createNative(options, takerOf(new WeakRef(this)))
    this.#words = this.native.words
    collected.register(this, this.native, this)
    this.memory = new CoreMemory(this.native, this.#words, options.arenaBytes)
    this.copies = new CopyQueue(this.native, () => {
      this.#holdOn()
      this.#checkDrained()
    })
  }

  /** Whether the next operation would wait in the queue. */
  get isFull(): boolean {
    return this.#words[Header.FULL] === 1
  }

  get life(): Life {
    return this.#life
  }

  /**
   * An operation in the table, not yet submitted. Whatever may throw comes before the submission, and nothing that may
   * throw (for want of stack, any call may) comes between that and its promise's return: from then on the id is the
   * kernel's until the completion. What throws in between leaves an operation that is taken out with the next flush.
   */
  begin(
    kind: Kind<Operation>,
    fd: number,
    holder: unknown,
    options: OperationOptions | undefined,
  ): Operation {
    this.schedule()
    // In no table yet: making a promise runs hooks of the program's, which may call the ring.
    const operation = new Operation(this, kind, fd, holder, options)
    if (!operation.isMade) {
      this.#orphans.push(operation.promise)
      throw new RangeError('Maximum call stack size exceeded')
    }
    this.operations.take(operation)
    if (options?.signal !== undefined) watchSignal(options.signal, operation)
    return operation
  }

  /** The promise of a call whose operation never begins. `ring.cancel` knows it as it knows any other. */
  refuse(error: unknown): Promise<unknown> {
    const operation = this.#endedEarly('failed')
    if (operation.isMade) operation.reject(error)
    return operation.promise
  }

  /** The promise of a call that its signal, or the ring's state, stops before it begins; `undefined` if it may begin. */
  refuseEarly(options: OperationOptions | undefined): Promise<unknown> | undefined {
    if (this.#life !== 'open') return this.refuse(closedError())
    const signal = options?.signal
    if (signal?.aborted !== true) return undefined
    const operation = this.#endedEarly('cancelled')
    if (!operation.isMade) return operation.promise
    if (options?.onCancel === 'resolve') operation.resolve(CANCELLED)
    else operation.reject(abortError(reasonOf(signal)))
    return operation.promise
  }

  #endedEarly(outcome: 'failed' | 'cancelled'): Operation {
    const operation = new Operation(this, NONE, -1, undefined, undefined)
    operation.end(outcome, 0)
    return operation
  }

  /** The native side refused the submission, or has yet to hear of a cancel: the operation's promise. */
  answered(operation: Operation, answer: number): Promise<unknown> {
    if (answer <= Refusal.FORBIDDEN) return this.withdraw(operation, forbidden(answer - Refusal.FORBIDDEN))
    if (answer < 0) return this.withdraw(operation, refusalError(answer, operation.kind.syscall))
    if (operation.cancellation !== undefined) {
      // A hook or a getter of the program's cancelled it while the native side did not know it.
      this.native.cancel(operation.id)
    }
    return operation.promise
  }

  /** The operation's promise, which rejects: the native side does not have the operation. */
  withdraw(operation: Operation, error: unknown): Promise<unknown> {
    this.#forget(operation)
    // Not before: while it stands in the table, the next flush must see that one is too many.
    this.operations.begun = (this.operations.begun - 1) | 0
    operation.reject(error)
    operation.end('failed', 0)
    return operation.promise
  }

  /** Flushes at the end of this run of microtasks. */
  schedule(): void {
    if (this.#isFlushScheduled) return
    void RESOLVED.then(this.#flush)
    // Not before: a call that throws has scheduled nothing, and nobody else would.
    this.#isFlushScheduled = true
  }

  /** Asks for an operation's cancellation; `cause` is that of its AbortError. */
  cancel(operation: Operation, cause: unknown): void {
    if (operation.outcome !== 'unsettled' || this.#life === 'closed') return
    this.schedule()
    operation.setCause(cause)
    this.native.cancel(operation.id)
  }

  /** Asks for the cancellation of each, as the program wants it through the ring. */
  cancelEach(operations: Operation[], cause?: unknown): Operation[] {
    for (const operation of operations) {
      operation.expectAbort()
      this.cancel(operation, cause)
    }
    return operations
  }

  /** Of an open ring: it is closing now. */
  close(): void {
    this.schedule()
    this.native.close()
    this.#life = 'closing'
  }

  /** Of a ring that is open or closing, whose operations have been cancelled. */
  destroy(): void {
    this.schedule()
    this.native.destroy()
    this.#life = 'destroying'
  }

  readonly #flush = (): void => {
    this.#isFlushScheduled = false
    if (this.#life === 'closed') return
    const isUneven = this.operations.begun !== this.#words[Header.SUBMITTED]
    if (isUneven || this.#orphans.length > 0) this.#clearUp()
    this.takeCompletions(this.native.flush())
    if (!this.#hasTurns && !this.#isTurnScheduled) {
      this.#isTurnScheduled = true
      setImmediate(() => {
        this.#isTurnScheduled = false
        if (this.#life !== 'closed') this.native.turn()
      })
    }
  }

  /**
   * Takes calls out of the table that something interrupted before the native side had their operations: a stack that
   * overflowed, a time limit of node:vm. No call is under way now, because a microtask runs. Nobody has their promises.
   */
  #clearUp(): void {
    for (const operation of this.operations.all()) {
      if (this.native.has(operation.id) === 1 || this.copies.holds(operation.id)) continue
      this.#forget(operation)
      operation.end('failed', 0)
    }
    for (const orphan of this.#orphans.splice(0)) orphan.catch(ignore)
    this.operations.begun = this.#words[Header.SUBMITTED] ?? 0
  }

  /** Settles the completions in the array. Called by the flush, and by the event loop. */
  takeCompletions(count: number): void {
    const words = this.#words
    const isAgain = words[Header.AGAIN] === 1
    const hasReports = words[Header.REPORTS] === 1
    for (let index = 0, at = FIRST_COMPLETION; index < count; index += 1, at += COMPLETION_WORDS) {
      this.#settle(words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0)
    }
    this.operations.shrink(count)
    this.#holdOn()
    if (isAgain && !this.#isRetryScheduled) {
      this.#isRetryScheduled = true
      const retry = () => {
        this.#isRetryScheduled = false
        this.schedule()
      }
      // Results that the turn's budget keeps back are there already: they need a turn, not time.
      if (count > 0) setImmediate(retry)
      else setTimeout(retry, AGAIN_MILLISECONDS)
    }
    if (hasReports) this.#report()
    if (this.#life !== 'open') this.#checkDrained()
  }

  #settle(id: number, result: number, status: number, attempts: number): void {
    const operation = this.operations.get(id)
    if (operation === undefined) return
    let isSettled = true
    try {
      isSettled = this.#deliver(operation, result, status, attempts)
    } catch (error) {
      // Out of memory for the result, say. The others of the batch must not be lost with it.
      operation.reject(error)
      operation.end('failed', attempts)
    }
    if (isSettled) this.#forget(operation)
  }

  #deliver(operation: Operation, result: number, status: number, attempts: number): boolean {
    switch (status & Status.VERDICT) {
      case Status.COMPLETED:
        return operation.kind.complete(operation, result, status, attempts)
      case Status.FAILED:
        settleFailed(operation, result, status, attempts)
        break
      case Status.CANCELLED:
        settleCancelled(operation, status, attempts)
        break
      default:
        settleStuck(operation, attempts)
    }
    return true
  }

  /** A result whose bytes were copied in pieces is whole now. */
  copied(operation: Operation): void {
    this.#forget(operation)
  }

  #forget(operation: Operation): void {
    this.operations.release(operation)
    const signal = operation.options?.signal
    if (signal === undefined) return
    try {
      unwatchSignal(signal, operation)
    } catch (error) {
      // A signal that throws is its owner's affair: the rest of a batch must be settled all the same.
      queueMicrotask(() => {
        throw error
      })
    }
  }

  /** Keeps the engine from being collected while something is pending. */
  #holdOn(): void {
    const isBusy = this.#words[Header.PENDING] !== 0 || !this.copies.isEmpty
    if (isBusy === this.#isBusy) return
    this.#isBusy = isBusy
    if (isBusy) busy.add(this)
    else busy.delete(this)
  }

  #report(): void {
    for (const report of this.native.takeReports()) {
      const operation = this.operations.get(report[0])
      // A listener that throws must not keep the others from theirs, or the ring from its work.
      if (operation !== undefined) queueMicrotask(() => this.#events.stuck(operation, report))
    }
  }

  #checkDrained(): void {
    // Copying large results may take longer than destroy() may: it goes on from memory that outlives the ring.
    const isGivenUp = this.#life === 'destroying'
    if (this.#life !== 'closing' && !isGivenUp) return
    if (this.#words[Header.DRAINED] !== 1 || !(isGivenUp || this.copies.isEmpty)) return
    this.#life = 'closed'
    // No flush will: it lets go of what small results have been copied from.
    this.native.turn()
    collected.unregister(this)
    this.#events.drained()
    this.memory.close()
    this.native.finish()
  }
}

function ignore(): void {}

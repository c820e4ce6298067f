/** One operation, from its call until its promise is settled. */
import { inspect } from 'node:util'

import type { OperationOptions } from '../arguments/options.js'
import type { NativeRing } from '../native/native-functions.js'
import { ASYNCHRONOUS } from '../native/protocol.js'
import type { Abortable } from './abort.js'
import type { CopyQueue } from './copies.js'
import type { Part } from './destination.js'
import type { Kind } from './kind.js'

/** The descriptor of operations that have none. */
export const NO_DESCRIPTOR = -1

/** Whose an operation is: the engine, as its operations know it. */
export interface Owner {
  readonly native: NativeRing
  readonly copies: CopyQueue
  /** Asks for an operation's cancellation; `cause` is that of its AbortError. */
  cancel(operation: Operation, cause: unknown): void
  /** A result whose bytes were copied in pieces is whole now. */
  copied(operation: Operation): void
}

/** What became of an operation. `unsettled` until then. */
export type Outcome = 'unsettled' | 'completed' | 'failed' | 'cancelled'

/**
 * What {@link Ring.cancel} resolves to.
 *
 * @example
 * ```ts
 * const reading = ring.read(fd)
 * const { outcome } = await ring.cancel(reading)
 * if (outcome === 'completed') console.log(`${(await reading).bytesRead} bytes were there first`)
 * ```
 */
export interface CancelResult {
  /**
   * What became of the operation. `completed`: its result was there before the cancel, and it resolved. `failed`: it
   * rejected with an error of its own. `cancelled`: it rejected with an AbortError or TimeoutError, or resolved to CANCELLED.
   */
  outcome: 'cancelled' | 'completed' | 'failed'
  /** How many cancels were issued. 0 if it needed none. */
  attempts: number
}

/** Where a promise carries its operation: a property costs 3 ns, a WeakMap 148. */
export const operationOf: unique symbol = Symbol('uring-safe-cancel.operation')

/** What most operations never need: their cancellation. */
class Cancellation {
  /** Whether the program asked for it through the ring, so that an AbortError surprises nobody. */
  isExpected = false
  /** The cause of the AbortError. */
  cause: unknown = undefined
  /** Those who wait for the operation's end. */
  waiters: ((result: CancelResult) => void)[] | undefined = undefined
}

/**
 * Its fields are declared and set by the constructor alone: initialised as class fields they would be written twice.
 */
export class Operation implements Abortable {
  declare readonly owner: Owner
  /** Its index in the table; -1 outside of it. */
  declare id: number
  declare readonly kind: Kind<Operation>
  declare readonly promise: Promise<unknown> & { [operationOf]?: Operation }
  declare resolve: (value: unknown) => void
  declare reject: (reason: unknown) => void
  declare readonly options: OperationOptions | undefined
  /** The descriptor's number, or -1. */
  declare readonly fd: number
  /** The caller's object with the descriptor, held while in flight: a FileHandle that is collected closes. */
  declare holder: unknown
  /** What the call is about: the caller's view or views, which the result gives back; the path; a length without a buffer. */
  declare subject: unknown
  /** Where a read's bytes go. */
  declare part: Part | undefined
  declare outcome: Outcome
  declare attempts: number
  declare cancellation: Cancellation | undefined

  constructor(
    owner: Owner,
    kind: Kind<Operation>,
    fd: number,
    holder: unknown,
    options: OperationOptions | undefined,
  ) {
    this.owner = owner
    this.id = -1
    this.kind = kind
    this.fd = fd
    this.holder = holder
    this.options = options
    this.subject = undefined
    this.part = undefined
    this.outcome = 'unsettled'
    this.attempts = 0
    this.cancellation = undefined
    // V8 inlines this executor. One that is shared has to leave both functions where it costs a write barrier.
    const promise: Promise<unknown> & { [operationOf]?: Operation } = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    this.promise = promise
    promise[operationOf] = this
  }

  /** False if no stack was left for the promise's executor: then the promise is rejected, and nobody can settle it. */
  get isMade(): boolean {
    return 'reject' in this
  }

  /** What submissions say of it, as the native side takes it. */
  get flags(): number {
    return this.options?.async === true ? ASYNCHRONOUS : 0
  }

  /** The same; 0 is none, and a timeout of 0 the shortest. */
  get timeout(): number {
    const timeout = this.options?.timeout
    return timeout === undefined ? 0 : Math.max(timeout, 0.001)
  }

  /** Its signal has aborted. */
  cancel(reason: unknown): void {
    this.owner.cancel(this, reason)
  }

  /** The program asked for its cancellation through the ring. */
  expectAbort(): void {
    this.cancellation ??= new Cancellation()
    this.cancellation.isExpected = true
  }

  /** The cause of its AbortError; the first counts. */
  setCause(cause: unknown): void {
    this.cancellation ??= new Cancellation()
    this.cancellation.cause ??= cause
  }

  /** Notes what became of it, and lets go of everything that it held. */
  end(outcome: 'cancelled' | 'completed' | 'failed', attempts: number): void {
    this.outcome = outcome
    this.attempts = attempts
    this.holder = undefined
    this.subject = undefined
    this.part = undefined
    if (this.cancellation === undefined) return
    const { waiters } = this.cancellation
    this.cancellation = undefined
    if (waiters === undefined) return
    for (const waiter of waiters) waiter({ outcome, attempts })
  }

  /** Resolves when it has ended. */
  ended(): Promise<CancelResult> {
    const { outcome, attempts } = this
    if (outcome !== 'unsettled') return Promise.resolve({ outcome, attempts })
    return new Promise((resolve) => {
      this.cancellation ??= new Cancellation()
      // One, nearly always: an array that grows from nothing takes room for 17.
      if (this.cancellation.waiters === undefined) this.cancellation.waiters = [resolve]
      else this.cancellation.waiters.push(resolve)
    })
  }

  [inspect.custom](): string {
    return `${this.kind.syscall} (${this.outcome})`
  }
}

/** The operation of a promise that a ring returned; `undefined` for anything else. */
export function findOperation(promise: unknown): Operation | undefined {
  if (typeof promise !== 'object' || promise === null) return undefined
  try {
    const operation = operationOf in promise ? promise[operationOf] : undefined
    return operation instanceof Operation ? operation : undefined
  } catch {
    // A proxy that lets nobody look.
    return undefined
  }
}

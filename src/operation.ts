/** One operation, from its call until its promise is settled. */
import { inspect } from 'node:util'

import type { Part } from './destination.js'
import type { Engine } from './engine.js'
import type { OperationOptions } from './requests.js'

/** What an operation is, which decides what its result looks like. */
export const Kind = {
  NOP: 0,
  READ: 1,
  /** A read without a buffer, whose core memory becomes its result's buffer. */
  READ_ADOPT: 2,
  WRITE: 3,
  READV: 4,
  WRITEV: 5,
  /** Resolves to the bare number: a descriptor, or a mask of events. */
  NUMBER: 6,
  /** Resolves to nothing. */
  NOTHING: 7,
  /** Resolves to nothing, and cannot be cancelled. */
  CLOSE: 8,
} as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** What became of an operation. `unsettled` until then. */
export type Outcome = 'unsettled' | 'completed' | 'failed' | 'cancelled'

/** What `ring.cancel` resolves to. */
export interface CancelResult {
  /** What became of the operation. `completed`: its result was there before the cancel, and it resolved. */
  outcome: 'cancelled' | 'completed' | 'failed'
  /** How many cancels were issued. 0 if it needed none. */
  attempts: number
}

/** Where a promise carries its operation: a property costs 3 ns, a WeakMap 148. */
export const operationOf: unique symbol = Symbol('uring-safe-cancel.operation')

let resolvePromise: (value: unknown) => void
let rejectPromise: (reason: unknown) => void
/** One executor for all promises: a closure for each would cost more than the promise. */
function capture(resolve: (value: unknown) => void, reject: (reason: unknown) => void): void {
  resolvePromise = resolve
  rejectPromise = reject
}

export class Operation {
  readonly engine: Engine
  readonly id: number
  readonly kind: Kind
  /** The system call, as errors name it. */
  readonly syscall: string
  readonly promise: Promise<unknown> & { [operationOf]?: Operation }
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
  readonly options: OperationOptions | undefined
  /** The descriptor's number, or -1. */
  readonly fd: number
  /** The caller's object with the descriptor, held while in flight: a FileHandle that is collected closes. */
  holder: unknown
  /** What the result gives back (the caller's view or views), or the path of an open. */
  given: unknown = undefined
  /** Where a read's bytes go. */
  parts: readonly Part[] | undefined = undefined

  outcome: Outcome = 'unsettled'
  attempts = 0
  /** Whether the program asked for the cancel through the ring, so that an AbortError surprises nobody. */
  isExpectedToAbort = false
  /** The cause of the AbortError. */
  cause: unknown = undefined
  waiters: ((result: CancelResult) => void)[] | undefined = undefined

  constructor(
    engine: Engine,
    id: number,
    kind: Kind,
    syscall: string,
    fd: number,
    holder: unknown,
    options: OperationOptions | undefined,
  ) {
    this.engine = engine
    this.id = id
    this.kind = kind
    this.syscall = syscall
    this.fd = fd
    this.holder = holder
    this.options = options
    this.promise = new Promise(capture)
    this.resolve = resolvePromise
    this.reject = rejectPromise
    this.promise[operationOf] = this
  }

  /** Notes what became of it, and lets go of everything that it held. */
  end(outcome: 'cancelled' | 'completed' | 'failed', attempts: number): void {
    this.outcome = outcome
    this.attempts = attempts
    this.holder = undefined
    this.given = undefined
    this.parts = undefined
    const { waiters } = this
    if (waiters === undefined) return
    this.waiters = undefined
    for (const waiter of waiters) waiter({ outcome, attempts })
  }

  /** Resolves when it has ended. */
  ended(): Promise<CancelResult> {
    return new Promise((resolve) => {
      this.waiters ??= []
      this.waiters.push(resolve)
    })
  }

  [inspect.custom](): string {
    return `${this.syscall} (${this.outcome})`
  }
}

/** The operation of a promise that a ring returned; `undefined` for anything else. */
export function findOperation(promise: unknown): Operation | undefined {
  if (typeof promise !== 'object' || promise === null || !(operationOf in promise)) return undefined
  const operation = promise[operationOf]
  return operation instanceof Operation ? operation : undefined
}

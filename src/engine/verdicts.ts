/** What becomes of a promise when its operation's completion is there. */
import { abortError, CANCELLED, operationError, stuckError, timeoutError } from '../errors.js'
import { forbidden } from '../native/addon/unavailable.js'
import { Status } from '../native/protocol.js'
import type { Complete } from './kind.js'
import type { Operation } from './operation.js'

function ignore(): void {}

/** Settles what has a result of its own: `value`. */
export function settleWith(operation: Operation, value: unknown, attempts: number): true {
  operation.resolve(value)
  operation.end('completed', attempts)
  return true
}

/** Of an operation that resolves to nothing. */
export const completeNothing: Complete<Operation> = (operation, _result, _status, attempts) =>
  settleWith(operation, undefined, attempts)

export function settleFailed(operation: Operation, errno: number, status: number, attempts: number): void {
  const isForbidden = (status & Status.FORBIDDEN) !== 0
  const { kind, subject } = operation
  const path = kind.hasPath ? String(subject) : undefined
  operation.reject(isForbidden ? forbidden(errno) : operationError(errno, kind.syscall, path))
  operation.end('failed', attempts)
}

export function settleCancelled(operation: Operation, status: number, attempts: number): void {
  const { options } = operation
  if (options?.onCancel === 'resolve') {
    operation.resolve(CANCELLED)
  } else {
    // The program asked for it through the ring: that alone is no unhandled rejection.
    if (operation.cancellation?.isExpected === true) operation.promise.then(undefined, ignore)
    const isTimeout = (status & Status.TIMED_OUT) !== 0
    operation.reject(
      isTimeout ? timeoutError(options?.timeout ?? 0) : abortError(operation.cancellation?.cause),
    )
  }
  operation.end('cancelled', attempts)
}

export function settleStuck(operation: Operation, attempts: number): void {
  if (operation.cancellation?.isExpected === true) operation.promise.then(undefined, ignore)
  operation.reject(stuckError(operation.kind.syscall))
  operation.end('failed', attempts)
}

/** What becomes of a promise when its operation's completion is there. */
import { noteOpened } from './descriptor-owners.js'
import { copyParts, rescueBytes } from './destination.js'
import {
  abortError,
  CANCELLED,
  InvalidStateError,
  operationError,
  stuckError,
  timeoutError,
} from './errors.js'
import { KEPT_BYTES, Status } from './native.js'
import { Kind, type Operation } from './operation.js'
import { forbidden } from './unavailable.js'

function ignore(): void {}

function pathOf({ kind, given }: Operation): string | undefined {
  return kind === Kind.OPEN ? String(given) : undefined
}

/** Settles a result. False if its bytes are still to be copied, in pieces. */
export function settleCompleted(
  operation: Operation,
  result: number,
  status: number,
  attempts: number,
): boolean {
  const isKept = (status & Status.KEPT) !== 0
  switch (operation.kind) {
    case Kind.READ:
    case Kind.READ_LATE:
    case Kind.READV: {
      if (operation.kind === Kind.READ_LATE) makeBuffer(operation)
      const { engine, id, part } = operation
      const mustRelease = isKept && result > KEPT_BYTES
      if (mustRelease && !engine.copies.admits(result, part)) {
        engine.copies.push(id, part, result, (isWhole) => {
          try {
            finishRead(operation, result, attempts, isWhole)
          } catch (error) {
            // Out of memory for bytes that lost their place, say.
            operation.reject(error)
            operation.end('failed', attempts)
          }
          engine.settled(operation)
        })
        return false
      }
      try {
        finishRead(operation, result, attempts, copyParts(engine.native, id, part, result))
      } finally {
        if (mustRelease) engine.native.release(id)
      }
      return true
    }
    case Kind.WRITE:
      operation.resolve({ bytesWritten: result, buffer: operation.given })
      break
    case Kind.WRITEV:
      operation.resolve({ bytesWritten: result, buffers: operation.given })
      break
    case Kind.POLL:
      operation.resolve(result)
      break
    case Kind.OPEN:
      operation.resolve(noteOpened(result))
      break
    case Kind.NONE:
    case Kind.NOP:
    case Kind.SLEEP:
    case Kind.FSYNC:
    case Kind.FDATASYNC:
    case Kind.CLOSE:
      operation.resolve(undefined)
      break
  }
  operation.end('completed', attempts)
  return true
}

/** The buffer of a read without one. That of one which never waited is there from the beginning. */
function makeBuffer(operation: Operation): void {
  const length = Number(operation.given)
  const bytes = Buffer.alloc(length)
  operation.given = bytes
  operation.part = { bytes, start: 0, length, region: -1, next: undefined }
}

function finishRead(operation: Operation, result: number, attempts: number, isWhole: boolean): void {
  const { engine, id, kind, given, part } = operation
  if (isWhole) {
    operation.resolve(
      kind === Kind.READV ? { bytesRead: result, buffers: given } : { bytesRead: result, buffer: given },
    )
    operation.end('completed', attempts)
    return
  }
  operation.reject(new InvalidStateError(result, rescueBytes(engine.native, id, part, result)))
  operation.end('failed', attempts)
}

export function settleFailed(operation: Operation, errno: number, status: number, attempts: number): void {
  const isForbidden = (status & Status.FORBIDDEN) !== 0
  operation.reject(
    isForbidden ? forbidden(errno) : operationError(errno, operation.syscall, pathOf(operation)),
  )
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
  operation.reject(stuckError(operation.syscall))
  operation.end('failed', attempts)
}

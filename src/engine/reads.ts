/** What becomes of a read whose bytes are there: copied to where the caller wants them, or rescued. */
import { InvalidStateError } from '../errors.js'
import { KEPT_BYTES, Status } from '../native/protocol.js'
import { copyParts, rescueBytes } from './destination.js'
import type { Operation } from './operation.js'

/** Makes what the read resolves to. */
type ResultOf = (bytesRead: number, view: unknown) => object

/** Settles a read. False if its bytes are still to be copied, in pieces. */
export function settleRead(
  operation: Operation,
  result: number,
  status: number,
  attempts: number,
  resultOf: ResultOf,
): boolean {
  const { owner, id, part } = operation
  const isKept = (status & Status.KEPT) !== 0
  const mustRelease = isKept && result > KEPT_BYTES
  if (mustRelease && !owner.copies.admits(result, part)) {
    owner.copies.push(id, part, result, (isWhole) => {
      try {
        finishRead(operation, result, attempts, isWhole, resultOf)
      } catch (error) {
        // Out of memory for bytes that lost their place, say.
        operation.reject(error)
        operation.end('failed', attempts)
      }
      owner.copied(operation)
    })
    return false
  }
  try {
    finishRead(operation, result, attempts, copyParts(owner.native, id, part, result), resultOf)
  } finally {
    if (mustRelease) owner.native.release(id)
  }
  return true
}

function finishRead(
  operation: Operation,
  result: number,
  attempts: number,
  isWhole: boolean,
  resultOf: ResultOf,
): void {
  const { owner, id, subject, part } = operation
  if (isWhole) {
    operation.resolve(resultOf(result, subject))
    operation.end('completed', attempts)
    return
  }
  operation.reject(new InvalidStateError(result, rescueBytes(owner.native, id, part, result)))
  operation.end('failed', attempts)
}

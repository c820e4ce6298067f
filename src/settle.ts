/** What becomes of a promise when its operation's completion is there. */
import { abortError, CANCELLED, InvalidStateError, stuckError, systemError, timeoutError } from './errors.js'
import { PIECE_BYTES, Status } from './native.js'
import { Kind, type Operation } from './operation.js'

function ignore(): void {}

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
    case Kind.READV: {
      if (isKept && result > PIECE_BYTES) {
        operation.engine.copies.push(operation, result, (isWhole) => {
          finishRead(operation, result, attempts, isWhole)
          operation.engine.settled(operation)
        })
        return false
      }
      finishRead(
        operation,
        result,
        attempts,
        isKept ? copyAll(operation, result) : hasRoom(operation, result),
      )
      return true
    }
    case Kind.READ_ADOPT:
      operation.resolve({ bytesRead: result, buffer: adopt(operation, result, isKept) })
      break
    case Kind.WRITE:
      operation.resolve({ bytesWritten: result, buffer: operation.buffer })
      break
    case Kind.WRITEV:
      operation.resolve({ bytesWritten: result, buffers: operation.buffer })
      break
    case Kind.NUMBER:
      operation.resolve(result)
      break
    case Kind.NOP:
    case Kind.NOTHING:
    case Kind.CLOSE:
      operation.resolve(undefined)
      break
  }
  operation.end('completed', attempts)
  return true
}

function finishRead(operation: Operation, result: number, attempts: number, isWhole: boolean): void {
  if (isWhole) {
    const { buffer } = operation
    operation.resolve(
      operation.kind === Kind.READ ? { bytesRead: result, buffer } : { bytesRead: result, buffers: buffer },
    )
    operation.end('completed', attempts)
    return
  }
  operation.reject(new InvalidStateError(result, keptBytes(operation, result)))
  operation.end('failed', attempts)
}

/** Copies a small result to where it belongs. False if there is no room any more. */
function copyAll(operation: Operation, result: number): boolean {
  const { native } = operation.engine
  const { id, bytes, parts, partLengths, partRegions } = operation
  if (parts === undefined) {
    return bytes !== undefined && native.copy(id, 0, 0, bytes, operation.start, result) === result
  }
  let left = result
  for (let index = 0; index < parts.length && left > 0; index += 1) {
    const target = parts[index]
    const amount = Math.min(left, partLengths?.[index] ?? 0)
    if (target === undefined) return false
    if ((partRegions?.[index] ?? -1) >= 0) {
      if (target.byteLength < amount) return false
    } else if (amount > 0 && native.copy(id, index, 0, target, 0, amount) !== amount) {
      return false
    }
    left -= amount
  }
  return true
}

/** Whether the view that the kernel wrote into still lies on its memory. */
function hasRoom(operation: Operation, result: number): boolean {
  if (operation.parts !== undefined || !operation.isOnCoreMemory) return true
  return operation.bytes !== undefined && operation.bytes.byteLength >= operation.start + result
}

/** The bytes of a result whose destination is gone. */
function keptBytes(operation: Operation, result: number): Buffer {
  const data = Buffer.alloc(result)
  const { native } = operation.engine
  const lengths = operation.partLengths ?? [result]
  let done = 0
  for (let part = 0; part < lengths.length && done < result; part += 1) {
    const amount = Math.min(result - done, lengths[part] ?? 0)
    native.copy(operation.id, part, 0, data, done, amount)
    done += amount
  }
  return data
}

/** The buffer of a read without one that waited in the queue, whose memory was allocated late. */
function adopt(operation: Operation, result: number, isKept: boolean): Buffer {
  const { native, memory } = operation.engine
  const adopted = isKept ? native.adopt(operation.id, result) : 0
  if (typeof adopted === 'number') return Buffer.alloc(operation.length)
  memory.adopt(adopted)
  return Buffer.from(adopted)
}

export function settleFailed(operation: Operation, errno: number, attempts: number): void {
  operation.reject(systemError(errno, operation.syscall, operation.path))
  operation.end('failed', attempts)
}

export function settleCancelled(operation: Operation, status: number, attempts: number): void {
  const { options } = operation
  if (options?.onCancel === 'resolve') {
    operation.resolve(CANCELLED)
  } else {
    // The program asked for it through the ring: that alone is no unhandled rejection.
    if (operation.isExpectedToAbort) operation.promise.then(undefined, ignore)
    const isTimeout = (status & Status.TIMED_OUT) !== 0
    operation.reject(isTimeout ? timeoutError(options?.timeout ?? 0) : abortError(operation.cause))
  }
  operation.end('cancelled', attempts)
}

export function settleStuck(operation: Operation, attempts: number): void {
  if (operation.isExpectedToAbort) operation.promise.then(undefined, ignore)
  operation.reject(stuckError(operation.syscall))
  operation.end('failed', attempts)
}

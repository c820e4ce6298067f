/** Errors as Node words them: `code`, `errno`, `syscall`, and a message that names what was wrong. */
import { constants } from 'node:os'
import { getSystemErrorMap, inspect } from 'node:util'

/**
 * The value that a cancelled operation resolves to if it was submitted with `onCancel: 'resolve'`. Making no Error, it
 * is several times faster than a rejection.
 *
 * @example
 * ```ts
 * const result = await ring.read(fd, { timeout: 50, onCancel: 'resolve' })
 * if (result === CANCELLED) console.log('nothing came within 50 ms')
 * else console.log(`${result.bytesRead} bytes`)
 * ```
 */
export const CANCELLED: unique symbol = Symbol('uring-safe-cancel.cancelled')

/**
 * The error of an operation that was cancelled by its signal, by `cancel`, `cancelFd`, `cancelAll`, `closeFd` or
 * `destroy`: the same shape as Node's own. It comes after the operation's final completion: by then the kernel has let go
 * of its memory, and no byte was taken from the descriptor.
 *
 * `cause` is the signal's reason, or what was given to `ring.destroy(error)`. It has no stack, which would show the event
 * loop alone.
 *
 * @example
 * ```ts
 * try {
 *   await ring.read(fd, { signal })
 * } catch (error) {
 *   if (!(error instanceof AbortError)) throw error
 *   console.log('stopped, because of', error.cause)
 * }
 * ```
 */
export class AbortError extends Error {
  /** As Node's own, so that code which asks for the name works with both. */
  override readonly name = 'AbortError'
  /** As Node's own. */
  readonly code = 'ABORT_ERR'
}

/**
 * The error of an operation that its `timeout` cancelled. As with an {@link AbortError}, the operation is over, and no byte
 * was taken.
 *
 * @example
 * ```ts
 * const answer = await ring.read(fd, { timeout: 500 }).catch((error: unknown) => {
 *   if (error instanceof TimeoutError) return undefined
 *   throw error
 * })
 * ```
 */
export class TimeoutError extends Error {
  /** What AbortSignal.timeout's reason is called too. */
  override readonly name = 'TimeoutError'
  /** For programs. */
  readonly code = 'TIMEOUT_ERR'
}

/**
 * An error of this library itself: its `code` tells which.
 *
 * | code | when |
 * |---|---|
 * | `ERR_IO_URING_UNAVAILABLE` | no ring can be made here, or io_uring was forbidden after the ring was made: `reason` and `remedy` say why, and what to do |
 * | `ERR_RING_CLOSED` | the ring was closed or destroyed before the call |
 * | `ERR_RING_QUEUE_FULL` | as many operations wait as `queueLimit` allows |
 * | `ERR_RING_ARENA_FULL` | the memory does not fit into `arenaBytes` |
 * | `ERR_RING_NO_EXTERNAL_MEMORY` | `ring.alloc()` in a runtime that allows no ArrayBuffer on an addon's memory (Electron), or in a worker after ended workers have lost 32 MiB that were transferred |
 * | `ERR_OPERATION_STUCK` | `destroy` gave up on an operation after `drainTimeout` |
 * | `ERR_INVALID_STATE` | a buffer was detached or shrunk: see {@link InvalidStateError} |
 *
 * @example
 * ```ts
 * try {
 *   await using ring = new Ring()
 *   await ring.nop()
 * } catch (error) {
 *   if (!(error instanceof RingError) || error.code !== 'ERR_IO_URING_UNAVAILABLE') throw error
 *   console.error(`${error.reason}: ${error.remedy}`)
 * }
 * ```
 */
export class RingError extends Error {
  /** Which error it is: one of the table above. */
  readonly code: string
  /**
   * With `ERR_IO_URING_UNAVAILABLE`, if it was the kernel that refused: a negative errno (-1 EPERM, -38 ENOSYS), or 0.
   * Without it the addon could not be loaded, and `cause` tells what was tried.
   */
  declare readonly errno?: number
  /** With `ERR_IO_URING_UNAVAILABLE`: why. */
  declare readonly reason?: string
  /** With `ERR_IO_URING_UNAVAILABLE`: what to do. */
  declare readonly remedy?: string

  /**
   * Made by the library; a program has no need to.
   *
   * @internal
   */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * The error of a read whose destination was detached or shrunk while it was in flight: transferred to a worker, for
 * instance. Its code is `ERR_INVALID_STATE`. Nothing is lost: the bytes are in `data`.
 *
 * @example
 * ```ts
 * const buffer = new Uint8Array(4096)
 * const reading = ring.read(fd, buffer)
 * structuredClone(buffer, { transfer: [buffer.buffer] })
 * const data = await reading.then(
 *   (result) => result.buffer.subarray(0, result.bytesRead),
 *   (error: unknown) => {
 *     if (error instanceof InvalidStateError) return error.data
 *     throw error
 *   },
 * )
 * ```
 */
export class InvalidStateError extends RingError {
  /** How many bytes were read. */
  readonly bytesRead: number
  /** The bytes, in a Buffer of their own. */
  readonly data: Buffer

  /**
   * Made by the library; a program has no need to.
   *
   * @internal
   */
  constructor(bytesRead: number, data: Buffer) {
    super(
      'ERR_INVALID_STATE',
      `The destination was detached or shrunk while the read was in flight: the ${bytesRead} bytes that came are in error.data`,
    )
    this.bytesRead = bytesRead
    this.data = data
  }
}

/**
 * Makes an error without capturing a stack, which costs ten times the cancel itself: it would only show the event
 * loop.
 */
function withoutStack<T extends Error>(make: () => T): T {
  const { stackTraceLimit } = Error
  try {
    Error.stackTraceLimit = 0
  } catch {
    // Frozen intrinsics: the stack is captured then.
    return make()
  }
  try {
    return make()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

const MESSAGE = 'The operation was aborted'

export function abortError(cause: unknown): AbortError {
  return withoutStack(() => new AbortError(MESSAGE, cause === undefined ? undefined : { cause }))
}

export function timeoutError(milliseconds: number): TimeoutError {
  return withoutStack(() => new TimeoutError(`The operation timed out after ${milliseconds} ms`))
}

/** -ECANCELED, which an operation that nobody cancelled ends with where the kernel can start no worker thread for it. */
const NO_WORKER = -constants.errno.ECANCELED
const NO_WORKER_WORDS = 'the kernel has no worker thread for it (is a limit of processes or threads reached?)'

let systemErrors: Map<number, [string, string]> | undefined

/** The error of a system call: `errno` is negative, as in Node. */
export function systemError(errno: number, syscall: string, path?: string): NodeJS.ErrnoException {
  systemErrors ??= getSystemErrorMap()
  const [code, words] = systemErrors.get(errno) ?? [`Unknown system error ${errno}`, 'unknown error']
  const where = path === undefined ? '' : ` '${path}'`
  const error: NodeJS.ErrnoException = new Error(`${code}: ${words}, ${syscall}${where}`)
  return Object.assign(error, { errno, code, syscall }, path === undefined ? undefined : { path })
}

/** The error of an operation that nobody cancelled. */
export function operationError(errno: number, syscall: string, path?: string): NodeJS.ErrnoException {
  const error = systemError(errno, syscall, path)
  if (errno === NO_WORKER) error.message += `: ${NO_WORKER_WORDS}`
  return error
}

export function closedError(): RingError {
  return new RingError('ERR_RING_CLOSED', 'The ring is closed or destroyed: it takes no more operations')
}

export function stuckError(syscall: string): RingError {
  return new RingError(
    'ERR_OPERATION_STUCK',
    `The kernel did not let go of the ${syscall} within drainTimeout: its memory and its descriptor stay leaked`,
  )
}

type Coded<T extends Error> = T & { code: string }

/** A TypeError as Node's own validation throws it. */
export function invalidType(name: string, expected: string, actual: unknown): Coded<TypeError> {
  const kind = name.includes('.') ? 'property' : 'argument'
  const message = `The "${name}" ${kind} must be ${expected}. Received ${describe(actual)}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' })
}

/** A RangeError as Node's own validation throws it. */
export function outOfRange(name: string, expected: string, actual: unknown): Coded<RangeError> {
  const message = `The value of "${name}" is out of range. It must be ${expected}. Received ${describe(actual)}`
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' })
}

/** A TypeError for a value of the right type that is wrong in itself. */
export function invalidValue(name: string, reason: string, actual: unknown): Coded<TypeError> {
  const message = `The argument '${name}' ${reason}. Received ${describe(actual)}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}

function describe(value: unknown): string {
  try {
    return describeAny(value)
  } catch {
    // A proxy that lets nobody look.
    return 'an object'
  }
}

function describeAny(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'function') return `function ${value.name}`
  if (typeof value === 'object') {
    const name: unknown = value.constructor?.name
    return typeof name === 'string' && name !== '' ? `an instance of ${name}` : inspect(value, { depth: -1 })
  }
  const text = inspect(value)
  const short = text.length > 28 ? `${text.slice(0, 25)}...` : text
  return `type ${typeof value} (${short})`
}

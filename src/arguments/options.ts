/** The options of an operation, and what they make of its result. */
import { type CANCELLED, invalidType } from '../errors.js'
import { checkBoolean, checkMilliseconds, checkObject } from './checks.js'

/**
 * Options that every operation takes, but `closeFd`.
 *
 * @example
 * ```ts
 * const controller = new AbortController()
 * const reading = ring.read(fd, { signal: controller.signal, timeout: 1000 })
 * controller.abort(new Error('no longer wanted'))
 * await reading.catch((error: unknown) => console.log(error))
 * ```
 */
export interface OperationOptions {
  /**
   * Cancels the operation. It then rejects with an AbortError whose `cause` is the signal's reason, unless its result
   * was there first: aborting does not promise rejection. Already aborted: it rejects, and nothing is submitted.
   */
  signal?: AbortSignal | undefined
  /**
   * Cancels the operation after so many milliseconds (0 or more; fractions count), from the end of the run of microtasks
   * of the call. It then rejects with a {@link TimeoutError}, unless its result was there first. Default: none.
   */
  timeout?: number | undefined
  /**
   * Lets a worker thread of the kernel do it (`IOSQE_ASYNC`): worth it for large reads with several in flight, because
   * copies by the kernel then do not hold up the event loop. The operation holds a duplicate of the descriptor, whose
   * close, as that of any descriptor of the file, ends the process's POSIX record locks on it. On kernels before 6.9, which
   * may spin for ever with it, the worker is spared pipes, terminals, devices, empty files, and writes to eventfds. Default `false`.
   */
  async?: boolean | undefined
  /** What a cancelled operation does: `reject` (the default), or `resolve` to {@link CANCELLED}, which is faster. */
  onCancel?: 'reject' | 'resolve' | undefined
}

/**
 * A result, or {@link CANCELLED} as well where the options ask for that.
 *
 * @example
 * ```ts
 * const result: Settles<number, { onCancel: 'resolve' }> = CANCELLED
 * ```
 */
export type Settles<R, O> = O extends {
  /** It asks for it. */
  onCancel: 'resolve'
}
  ? R | typeof CANCELLED
  : R

/**
 * Checks an operation's options, and copies them: what becomes of the caller's object is no business of an operation
 * that is under way. Unknown keys are refused only in a ring's own options, as Node does it.
 */
export function checkOptions(options: unknown): OperationOptions | undefined {
  if (options === undefined || options === null) return undefined
  checkObject(options)
  return operationOptions(options)
}

/** The same of what is known to be an object. `undefined`, as without options, if it has none of them. */
export function operationOptions(options: Record<string, unknown>): OperationOptions | undefined {
  const { signal, timeout, async, onCancel } = options
  if (signal === undefined && timeout === undefined && async === undefined && onCancel === undefined) {
    return undefined
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidType('options.signal', 'an instance of AbortSignal', signal)
  }
  if (timeout !== undefined) checkMilliseconds('options.timeout', timeout)
  checkBoolean('options.async', async)
  if (onCancel !== undefined && onCancel !== 'reject' && onCancel !== 'resolve') {
    throw invalidType('options.onCancel', "'reject' or 'resolve'", onCancel)
  }
  return { signal, timeout, async, onCancel }
}

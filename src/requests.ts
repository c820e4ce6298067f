/** What callers may write, and what it means: FileHandle's overloads, brought to one form. */
import { isAnyArrayBuffer } from 'node:util/types'

import { invalidType, invalidValue, outOfRange } from './errors.js'
import { CURRENT_POSITION } from './native/protocol.js'

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
 * A descriptor's number, or anything that has one: a FileHandle, a socket's handle, … The object is held while an operation
 * on it is in flight, so that its collection cannot close it.
 *
 * @example
 * ```ts
 * const file = await open('/etc/hostname')
 * const { bytesRead } = await ring.read(file)
 * await ring.closeFd(file)
 * ```
 */
export type FdLike =
  | number
  | {
      /** The number, 0 or more. -1, as a closed FileHandle has it, rejects with EBADF. */
      readonly fd: number
    }

/** What node:fs allows: lengths are 32-bit there, and one read of Linux is no longer. */
export const MAX_LENGTH = 0x7fff_ffff

/** The number of a descriptor. -1 for an object that is closed. */
export function fdNumber(fd: unknown): number {
  if (typeof fd === 'number' && Number.isInteger(fd) && fd >= 0 && fd <= MAX_LENGTH) return fd
  const number = typeof fd === 'object' && fd !== null && 'fd' in fd ? fd.fd : fd
  if (typeof number !== 'number')
    throw invalidType('fd', 'a number, a FileHandle or an object with a numeric fd', fd)
  // A closed FileHandle has -1: the kernel's EBADF says it best.
  if (number === -1 && number !== fd) return number
  if (!Number.isInteger(number) || number < 0 || number > MAX_LENGTH) {
    throw outOfRange('fd', `an integer >= 0 and <= ${MAX_LENGTH}`, number)
  }
  return number
}

/** ArrayBuffer.isView, with Node's type of what it finds. */
export function isView(value: unknown): value is NodeJS.ArrayBufferView {
  return ArrayBuffer.isView(value)
}

/** A view as bytes. `name` is what errors call it. */
export function bytesOf(name: string, view: NodeJS.ArrayBufferView): Uint8Array {
  const isBytes = view instanceof Uint8Array
  // One that has bytes has memory. Asking it for its buffer takes longer than all the rest.
  if (isBytes && view.byteLength > 0) return view
  if (isDetached(view.buffer)) throw invalidValue(name, 'is detached', view)
  return isBytes ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

/** Whether memory was transferred away. Node 20 has no property for it; a view on such memory cannot be made. */
function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false
  try {
    return new Uint8Array(buffer).length > 0
  } catch {
    return true
  }
}

/** Whether it may be options. Memory and arrays in their place are mistakes: their bytes would stay untouched. */
export function isOptions(value: unknown): value is Record<string, unknown> {
  const isObject = typeof value === 'object' && value !== null
  return isObject && !isView(value) && !isAnyArrayBuffer(value) && !Array.isArray(value)
}

/** A position in a file, or {@link CURRENT_POSITION}. */
export function positionOf(position: unknown): number {
  if (position === null || position === undefined) return CURRENT_POSITION
  const number = typeof position === 'bigint' ? Number(position) : position
  if (typeof number !== 'number') throw invalidType('position', 'a number, a bigint or null', position)
  if (!Number.isSafeInteger(number) || number < CURRENT_POSITION) {
    throw outOfRange('position', `an integer >= -1 and <= ${Number.MAX_SAFE_INTEGER}`, position)
  }
  return number
}

/** The views of a vectored operation. */
export function viewsOf(buffers: unknown): Uint8Array[] {
  // A copy: every() passes over holes, and the caller's array is the caller's.
  const list: unknown[] | undefined = Array.isArray(buffers) ? Array.from(buffers) : undefined
  if (list === undefined || !list.every(isView)) {
    throw invalidType('buffers', 'an array of Buffer, TypedArray, or DataView', buffers)
  }
  if (list.length === 0 || list.length > 1024) {
    throw outOfRange('buffers.length', '>= 1 and <= 1024, as for readv(2)', list.length)
  }
  const views = list.map((view, index) => bytesOf(`buffers[${index}]`, view))
  const total = views.reduce((sum, view) => sum + view.byteLength, 0)
  if (total > MAX_LENGTH - 4095)
    throw outOfRange('buffers', `at most ${MAX_LENGTH - 4095} bytes in all`, total)
  return views
}

/** Checks that `value` is an integer within bounds. */
export function checkInteger(
  name: string,
  value: unknown,
  least: number,
  most: number,
): asserts value is number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value)
  if (!Number.isInteger(value) || value < least || value > most) {
    throw outOfRange(name, `an integer >= ${least} and <= ${most}`, value)
  }
}

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

/** Checks that `value` is a boolean, or not given. */
export function checkBoolean(name: string, value: unknown): asserts value is boolean | undefined {
  if (value !== undefined && typeof value !== 'boolean') throw invalidType(name, 'a boolean', value)
}

/** Checks that `options` may be some. */
export function checkObject(options: unknown): asserts options is Record<string, unknown> {
  if (!isOptions(options)) throw invalidType('options', 'an object', options)
}

/** Checks a time in milliseconds. */
export function checkMilliseconds(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw invalidType(name, 'a number', value)
  // As long as a timestamp of JavaScript can be.
  if (!(value >= 0 && value <= 8.64e15)) throw outOfRange(name, '>= 0 and <= 8640000000000000', value)
}

/** Memory of the caller's, as bytes. */
import { invalidType, invalidValue, outOfRange } from '../errors.js'
import { checkInteger } from './checks.js'

/** What node:fs allows: lengths are 32-bit there, and one read of Linux is no longer. */
export const MAX_LENGTH = 0x7fff_ffff

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

/** Where in a caller's bytes a call begins. */
export function startOf(bytes: Uint8Array, offset: unknown): number {
  const start = offset ?? 0
  checkInteger('offset', start, 0, bytes.byteLength)
  return start
}

/** How many bytes from there on it is about. */
export function lengthOf(bytes: Uint8Array, start: number, wanted: unknown): number {
  const most = Math.min(bytes.byteLength - start, MAX_LENGTH)
  const length = wanted ?? most
  checkInteger('length', length, 0, most)
  return length
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

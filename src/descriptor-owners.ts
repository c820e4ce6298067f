/**
 * Who closes a descriptor. A FileHandle closes its own, and a worker thread of Node closes, when it ends, every number
 * that node:fs opened in it: behind their backs a close would hit whoever has the number by then.
 */
import { close } from 'node:fs'
import { promisify } from 'node:util'
import { isMainThread } from 'node:worker_threads'

const closeByNode = promisify(close)

/** Numbers that were opened in this worker, and not by node:fs. */
const ours = new Set<number>()

/** Notes a descriptor that this library opened. */
export function noteOpened(fd: number): number {
  if (!isMainThread) ours.add(fd)
  return fd
}

/** How to close a descriptor whose owner must hear of it; `undefined` if nobody must. */
export function ownersClose(fd: unknown, number: number): (() => Promise<unknown>) | undefined {
  // An object that is closed: the kernel's EBADF says it best.
  if (number < 0) return undefined
  if (typeof fd === 'object' && fd !== null && 'close' in fd && typeof fd.close === 'function') {
    const closable: { close: unknown } = fd
    return async () => (typeof closable.close === 'function' ? closable.close() : undefined)
  }
  if (isMainThread || ours.delete(number)) return undefined
  return () => closeByNode(number)
}

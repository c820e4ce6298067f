/**
 * Who closes a descriptor. A FileHandle closes its own. A worker thread of Node closes, when it ends, every number that
 * node:fs opened in it, and Deno every one in the whole program, when it likes: behind their backs a close would hit whoever
 * has the number by then.
 */
import { close, fstatSync } from 'node:fs'
import { promisify } from 'node:util'
import { isMainThread } from 'node:worker_threads'

import { systemError } from '../errors.js'
import { runtimeOf } from '../native/addon/runtime.js'

const closeAndPromise = promisify(close)
const isDeno = runtimeOf().name === 'Deno'

/** Numbers that were opened in this worker, and not by node:fs. */
const ours = new Set<number>()

/** Notes a descriptor that this library opened. */
export function noteOpened(fd: number): number {
  if (!isMainThread && !isDeno) ours.add(fd)
  return fd
}

/** Notes that the ring took over to close it: the number may soon be another file's. */
export function noteClosed(number: number): void {
  ours.delete(number)
}

/** Whether Deno's node:fs opened it. It knows no other descriptors, and Deno tells no other way. */
function isKnownToDeno(number: number): boolean {
  try {
    fstatSync(number)
    return true
  } catch {
    return false
  }
}

/** What Node says of a number that it did not open, and that one of its workers closes. It closes it all the same. */
const NOT_NODES = /closed but not opened in unmanaged mode/

/**
 * Closes a number by node:fs. In a worker that warns of numbers which node:fs did not open there: of another thread's, and
 * those of another copy of this package. Nobody but Node can tell which they are, and it does so by this warning alone, within
 * the call.
 */
export function closeByNode(number: number): Promise<unknown> {
  if (isMainThread || isDeno) return closeAndPromise(number)
  const own = Object.getOwnPropertyDescriptor(process, 'emitWarning')
  const emit: unknown = own?.value
  if (own?.writable !== true || typeof emit !== 'function') return closeAndPromise(number)
  const filter = new Proxy(emit, {
    apply(target, receiver, warning: unknown[]) {
      if (!NOT_NODES.test(String(warning[0]))) Reflect.apply(target, receiver, warning)
    },
  })
  try {
    Object.defineProperty(process, 'emitWarning', { ...own, value: filter })
    return closeAndPromise(number)
  } finally {
    Object.defineProperty(process, 'emitWarning', own)
  }
}

/** Closes a number, whose ring is gone. `closeNatively` is close(2), and answers as the native side does. */
export async function closeWithoutRing(number: number, closeNatively: () => number): Promise<void> {
  noteClosed(number)
  if (number >= 0 && !isDeno) {
    // In a thread of node:fs's: a close may wait.
    await closeByNode(number)
    return
  }
  const answer = closeNatively()
  if (answer < 0) throw systemError(answer, 'close')
}

/** How to close a descriptor whose owner must hear of it; `undefined` if nobody must. */
export function ownersClose(fd: unknown, number: number): (() => Promise<unknown>) | undefined {
  // An object that is closed: the kernel's EBADF says it best.
  if (number < 0) return undefined
  if (typeof fd === 'object' && fd !== null && 'close' in fd && typeof fd.close === 'function') {
    const closable: { close: unknown } = fd
    return async () => (typeof closable.close === 'function' ? closable.close() : undefined)
  }
  if (isDeno ? !isKnownToDeno(number) : isMainThread || ours.has(number)) return undefined
  return () => closeByNode(number)
}

/** Nothing: by the kernel, or by JavaScript alone. */
import { loadLibrary, makeRing } from '../library.js'
import type { Settings } from '../protocol.js'
import { expect, type Program, promiseLanes } from './program.js'

export async function nop(settings: Settings): Promise<Program> {
  const { api } = settings
  if (api === 'settled') return { run: promiseLanes(alreadySettled, checkNothing) }
  if (api === 'pending') return { run: promiseLanes(settledByABatch(), checkNothing) }
  const ring = makeRing(await loadLibrary(settings), settings)
  return { run: promiseLanes(() => ring.nop(), checkNothing) }
}

function checkNothing(_lane: number, result: unknown): void {
  expect('a nop', result, undefined)
}

/** A promise that has nothing to wait for. */
async function alreadySettled(): Promise<void> {}

/**
 * A promise as any asynchronous operation needs it, without the operation: made pending, found again by its number,
 * and settled with the others of its batch at the end of the run of microtasks.
 */
function settledByABatch(): () => Promise<void> {
  const resolved = Promise.resolve()
  const slots: ((value: undefined) => void)[] = []
  const free: number[] = []
  let batch: number[] = []
  const flush = () => {
    const ids = batch
    batch = []
    for (const id of ids) {
      free.push(id)
      slots[id]?.(undefined)
    }
  }
  return () =>
    new Promise<undefined>((resolve) => {
      const id = free.pop() ?? slots.length
      slots[id] = resolve
      if (batch.push(id) === 1) void resolved.then(flush)
    })
}

/** What is measured while nothing is under way. */
import { readdirSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'

import type { Ring } from 'uring-safe-cancel'

import type { Series } from './verdict.js'

const MEBIBYTE = 2 ** 20

/**
 * The series, each with the reason for its bound. Descriptors, operations and mappings of core memory are counted, so
 * for them it is less than one; memory is not returned to the system by the byte.
 */
export function emptySeries(): Record<
  'descriptors' | 'inFlight' | 'core' | 'heap' | 'external' | 'rss',
  Series
> {
  return {
    descriptors: { name: 'descriptors', unit: '', bound: 0.5, values: [] },
    inFlight: { name: 'operations left', unit: '', bound: 0.5, values: [] },
    // One slab of pieces of a size, which reads without a buffer share, may be held by the last of them.
    core: { name: 'core memory held', unit: 'MiB', bound: 1, values: [] },
    // V8 keeps feedback and compiled code as long as it likes, and drops them when it likes.
    heap: { name: 'heap used', unit: 'MiB', bound: 2, values: [] },
    external: { name: 'external memory', unit: 'MiB', bound: 2, values: [] },
    // Each worker is an isolate and a thread: their memory goes back to malloc's arenas, whose free space is fragmented.
    rss: { name: 'resident set', unit: 'MiB', bound: 16, values: [] },
  }
}

export type Samples = ReturnType<typeof emptySeries>

/** Collects garbage, until the finalizers of what was found have run. */
export async function collect(): Promise<void> {
  globalThis.gc?.()
  // Finalizers, and the close callbacks of rings that were destroyed, run in later turns.
  await turn()
  await turn()
}

/** Measures. Operations must have ended. */
export async function sample(series: Samples, ring: Ring): Promise<void> {
  // What is found first may have held something that is found next.
  for (let round = 0; round < 6; round += 1) await collect()
  const { inFlight, queued, arenaHeld } = ring.stats()
  const { rss, heapUsed, external } = process.memoryUsage()
  series.descriptors.values.push(readdirSync('/proc/self/fd').length)
  series.inFlight.values.push(inFlight + queued)
  series.core.values.push(arenaHeld / MEBIBYTE)
  series.heap.values.push(heapUsed / MEBIBYTE)
  series.external.values.push(external / MEBIBYTE)
  series.rss.values.push(rss / MEBIBYTE)
}

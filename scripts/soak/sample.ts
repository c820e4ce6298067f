/** What is measured while nothing is under way. */
import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'

import type { Ring } from 'uring-safe-cancel'

import type { Series } from './verdict.js'

const MEBIBYTE = 2 ** 20

/**
 * The arena of the soak's ring. One gives no memory back to the system before it is full: until then its mappings
 * follow the most that V8 had not collected yet, and with the default of 1 GiB that goes on rising, ever more slowly,
 * for hours. This one is small, so that it is full within the warm-up, and what it has mapped is told from the rest.
 */
export const ARENA_BYTES = 64 << 20

/**
 * The series, each with the reason for its bound. Descriptors, operations and mappings of core memory are counted, so
 * for them it is less than one; memory is not returned to the system by the byte.
 */
export function emptySeries(): Record<
  'descriptors' | 'inFlight' | 'core' | 'mapped' | 'heap' | 'external' | 'rss',
  Series
> {
  return {
    descriptors: { name: 'descriptors', unit: '', bound: 0.5, values: [] },
    inFlight: { name: 'operations left', unit: '', bound: 0.5, values: [] },
    // One slab of pieces of a size, which reads without a buffer share, may be held by the last of them.
    core: { name: 'core memory held', unit: 'MiB', bound: 1, values: [] },
    // The arena is filled at the start, and keeps what is free. What it unmaps in between may come back, and no more.
    mapped: { name: 'core memory mapped', unit: 'MiB', bound: ARENA_BYTES / MEBIBYTE, values: [] },
    // V8 keeps feedback and compiled code as long as it likes, and drops them when it likes.
    heap: { name: 'heap used', unit: 'MiB', bound: 2, values: [] },
    external: { name: 'external memory', unit: 'MiB', bound: 2, values: [] },
    // Each worker is an isolate and a thread: their memory goes back to malloc's arenas, whose free space is fragmented.
    rss: { name: 'other memory', unit: 'MiB', bound: 16, values: [] },
  }
}

export type Samples = ReturnType<typeof emptySeries>

/** The resident bytes of core memory: nobody else's mappings are forbidden to forks (`dc` in /proc's words). */
function residentCore(): number {
  const entries = readFileSync('/proc/self/smaps', 'utf8').matchAll(/^Rss: +(\d+) kB$[^]*?^VmFlags: (.+)$/gm)
  let bytes = 0
  for (const [, kibibytes, flags = ''] of entries) {
    if (flags.split(' ').includes('dc')) bytes += Number(kibibytes) * 1024
  }
  return bytes
}

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
  const mapped = residentCore()
  series.mapped.values.push(mapped / MEBIBYTE)
  series.descriptors.values.push(readdirSync('/proc/self/fd').length)
  series.inFlight.values.push(inFlight + queued)
  series.core.values.push(arenaHeld / MEBIBYTE)
  series.heap.values.push(heapUsed / MEBIBYTE)
  series.external.values.push(external / MEBIBYTE)
  series.rss.values.push((rss - mapped) / MEBIBYTE)
}

/** How much garbage collection there is while something else runs. */
import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'

import type { Collections } from '../protocol.js'

/** Watches until it is stopped; `undefined` where the runtime does not tell. */
export function watchCollections(): () => Promise<Collections | undefined> {
  if ('bun' in process.versions || 'deno' in process.versions) return async () => undefined
  const all: Collections = { count: 0, nanoseconds: 0 }
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      all.count += 1
      all.nanoseconds += Math.round(duration * 1e6)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return async () => {
    // Entries are delivered in a later turn.
    await nextTurn()
    await nextTurn()
    observer.disconnect()
    return all
  }
}

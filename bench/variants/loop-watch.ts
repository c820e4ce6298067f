/** How long the event loop is blocked while something else runs. */
import { openSync, readSync } from 'node:fs'
import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'

import type { LoopDelay } from '../protocol.js'
import { quantile } from '../statistics.js'

/** Milliseconds: turns shorter than this are not worth keeping. */
const SHORT = 0.05

interface Turn {
  begun: number
  ended: number
  /** Processor time of this thread in it, in milliseconds: what the turn took, unless the system took it away. */
  cpu: number
}

interface Span {
  begun: number
  ended: number
}

/** Tells this thread's processor time, in milliseconds. Workers, whosesoever they are, do not block its loop. */
function threadClock(): () => number {
  let descriptor: number
  try {
    descriptor = openSync('/proc/thread-self/schedstat', 'r')
  } catch {
    return () => Number.POSITIVE_INFINITY
  }
  const text = Buffer.alloc(64)
  return () => {
    // Makes the kernel bring its books on the running thread up to date, which reading them does not.
    process.cpuUsage()
    const length = readSync(descriptor, text, 0, text.length, 0)
    return Number.parseInt(text.toString('latin1', 0, length), 10) / 1e6
  }
}

/** How much of a turn was work: neither the collector's, nor time in which the system ran something else. */
function busy({ begun, ended, cpu }: Turn, collections: readonly Span[]): number {
  const collected = collections.reduce(
    (sum, span) => sum + Math.max(0, Math.min(ended, span.ended) - Math.max(begun, span.begun)),
    0,
  )
  return Math.max(0, Math.min(ended - begun, cpu) - collected)
}

function nanoseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6)
}

/** Watches until it is stopped. It keeps the loop turning, so that each turn's length is seen. */
export function watchLoop(): () => Promise<LoopDelay> {
  const collections: Span[] = []
  const observer = observeCollections(collections)
  const turns: Turn[] = []
  const cpuMilliseconds = threadClock()
  let [longestTurn, longestTimerGap, timers] = [0, 0, 0]
  let [lastTurn, lastTimer, lastCpu] = [performance.now(), performance.now(), cpuMilliseconds()]
  const look = () => {
    const now = performance.now()
    const cpu = cpuMilliseconds()
    longestTurn = Math.max(longestTurn, now - lastTurn)
    if (now - lastTurn > SHORT) turns.push({ begun: lastTurn, ended: now, cpu: cpu - lastCpu })
    lastTurn = now
    lastCpu = cpu
  }
  const turn = () => {
    look()
    immediate = setImmediate(turn)
  }
  const fire = () => {
    const now = performance.now()
    longestTimerGap = Math.max(longestTimerGap, now - lastTimer)
    lastTimer = now
    timers += 1
  }
  let immediate = setImmediate(turn)
  const timer = setInterval(fire, 1)
  return async () => {
    // What ran last without a turn after it blocked the loop as well.
    look()
    longestTimerGap = Math.max(longestTimerGap, performance.now() - lastTimer)
    clearImmediate(immediate)
    clearInterval(timer)
    // Collections are told of in a later turn.
    await nextTurn()
    await nextTurn()
    observer?.disconnect()
    const batches = Float64Array.from(turns, (one) => busy(one, collections))
    batches.sort()
    return {
      medianBatch: nanoseconds(quantile(batches, 0.5)),
      p99Batch: nanoseconds(quantile(batches, 0.99)),
      longestBatch: nanoseconds(batches.at(-1) ?? 0),
      longestTurn: nanoseconds(longestTurn),
      longestTimerGap: nanoseconds(longestTimerGap),
      timers,
    }
  }
}

/** Node tells of collections; other runtimes do not. */
function observeCollections(into: Span[]): PerformanceObserver | undefined {
  if ('bun' in process.versions || 'deno' in process.versions) return undefined
  const observer = new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      into.push({ begun: startTime, ended: startTime + duration })
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return observer
}

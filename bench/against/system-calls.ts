/** System calls of an operation, as strace counts them on the thread that has the ring. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { output } from '../command.js'
import { SCRATCH } from '../paths.js'

/** Of the shorter run; the longer has twice as many, and the difference is theirs alone. */
const OPERATIONS = 3200
/** What is called less often belongs to timers and to the garbage collector. */
const RARE = 0.01

/** Calls of an operation, by their names, the most frequent first. */
export type SystemCalls = Readonly<Record<string, number>>

/** Counts those of a variant's process. Rejects where there is no strace, or where it may not trace. */
export async function countSystemCalls(
  command: readonly string[],
  concurrency: number,
): Promise<SystemCalls> {
  const directory = mkdtempSync(join(SCRATCH, 'strace-'))
  try {
    const count = async (operations: number) => {
      const file = join(directory, String(operations))
      const request = JSON.stringify({ concurrency, operations, measure: 'speed' })
      // Without -f: the other threads are the compiler's and the collector's.
      const answer = await output('strace', ['-c', '-o', file, ...command], `${request}\n`)
      if (answer.includes('"error"')) throw new Error(answer.trim())
      return parseCounts(readFileSync(file, 'utf8'))
    }
    const shorter = await count(OPERATIONS)
    const longer = await count(2 * OPERATIONS)
    return perOperation(shorter, longer, OPERATIONS)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The table that `strace -c` writes: how often each was called. */
export function parseCounts(text: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const line of text.split('\n')) {
    // % time, seconds, usecs/call, calls, errors (if there were some), and the name.
    const [, calls = '', name = ''] = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$/.exec(line) ?? []
    if (name !== '' && name !== 'total') counts.set(name, Number(calls))
  }
  return counts
}

/** The difference of two runs, for each of the operations by which they differ. */
export function perOperation(
  shorter: ReadonlyMap<string, number>,
  longer: ReadonlyMap<string, number>,
  operations: number,
): SystemCalls {
  const calls = [...longer].map(
    ([name, count]) => [name, (count - (shorter.get(name) ?? 0)) / operations] as const,
  )
  // oxlint-disable-next-line unicorn/no-array-sort -- the copy is this function's own
  const frequent = calls.filter(([, count]) => count >= RARE).sort(([, one], [, other]) => other - one)
  return Object.fromEntries(frequent)
}

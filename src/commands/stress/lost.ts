/** Reads that one cancel did not end: how they are named, and how they are freed. */
import { setTimeout as delay } from 'node:timers/promises'
import { getSystemErrorName } from 'node:util'

import type { Ring } from '../../ring.js'

/** Long enough for a cancel that works, so that what another one would do is seen. */
const AGAIN_MILLISECONDS = 5

/** What a cancel answered, in words; `undefined` if it did not. */
export function answerName(answer: number | undefined): string {
  if (answer === undefined) return 'nothing'
  return answer < 0 ? `-${getSystemErrorName(answer)}` : `${answer} (found)`
}

/** Cancels again until the operation ends: each call issues one cancel where the ring does not re-issue. */
export async function free(ring: Ring, operation: Promise<unknown>): Promise<void> {
  let isOver = false
  while (!isOver) {
    const over = ring.cancel(operation).then(() => true)
    isOver = await Promise.race([over, delay(AGAIN_MILLISECONDS, false)])
  }
}

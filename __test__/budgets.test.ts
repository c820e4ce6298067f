/** What rings do in a turn of the event loop they do together: a timer waits for a thread's budget, not for each ring's. */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { Ring } from 'uring-safe-cancel'

import { sorted } from '../scripts/common/sorted.js'
import { ringFor, STARVED_MILLISECONDS } from './helpers.js'

const CHAINS = 16
/** Firings of the timer that are looked at. */
const FIRINGS = 100

function processorMilliseconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Floods rings with chains of awaits: the processor's time between firings of a 1 ms timer (the median), and who got how much. */
async function flood(rings: Ring[]): Promise<{ gap: number; least: number; most: number }> {
  const end = { isReached: false }
  const counts = rings.map(() => 0)
  const chains = rings.flatMap((ring, index) =>
    Array.from({ length: CHAINS }, async () => {
      while (!end.isReached) {
        await ring.nop()
        counts[index] = (counts[index] ?? 0) + 1
      }
    }),
  )
  const gaps: number[] = []
  const patience = performance.now() + STARVED_MILLISECONDS
  let last = processorMilliseconds()
  await new Promise<void>((resolve) => {
    const fire = () => {
      const now = processorMilliseconds()
      gaps.push(now - last)
      last = now
      const isEnough = gaps.length >= FIRINGS && Math.min(...counts) > CHAINS
      if (isEnough || performance.now() > patience) resolve()
      else setTimeout(fire, 1)
    }
    setTimeout(fire, 1)
  })
  end.isReached = true
  await Promise.all(chains)
  return {
    gap: sorted(gaps, (one, other) => one - other)[gaps.length >> 1] ?? Infinity,
    least: Math.min(...counts),
    most: Math.max(...counts),
  }
}

function ringsFor(t: ExecutionContext, count: number): Ring[] {
  return Array.from({ length: count }, () => ringFor(t, { entries: 8, completionEntries: 64 }))
}

for (const count of [100, 400]) {
  test(`a timer of 1 ms fires while ${count} rings are flooded as it does beside one, and each ring gets its turn`, async (t) => {
    const beside = await flood(ringsFor(t, 1))
    const among = await flood(ringsFor(t, count))
    t.log(
      `processor time between firings: ${beside.gap.toFixed(2)} ms with 1 ring, ${among.gap.toFixed(2)} with ${count}`,
    )
    t.log(`${among.least} to ${among.most} operations a ring`)
    t.true(among.gap < 8 * Math.max(beside.gap, 1))
    t.true(among.least > CHAINS, 'nobody starves')
  })
}

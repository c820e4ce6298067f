/**
 * Random sequences of calls on the real kernel, against a reference model: `__test__/sequences/`.
 *
 * A failure prints its seed. `SEQUENCES_SEED=<seed> npx ava __test__/sequences.test.ts` plays the same sequences again;
 * the kernel's part in them is its own, so a rare failure may take a few times. `SEQUENCES_RUNS` makes it long.
 */
import { setImmediate as turn } from 'node:timers/promises'

import test from 'ava'
import * as fc from 'fast-check'
import type { RingOptions } from 'uring-safe-cancel'

import { openDescriptors } from './helpers.js'
import { sequences } from './sequences/commands.js'
import { modelOf, type Setup, type Tally, World } from './sequences/world.js'

const RUNS = Number(process.env['SEQUENCES_RUNS'] ?? 300)
const COMMANDS = Number(process.env['SEQUENCES_COMMANDS'] ?? 100)
const SEED = process.env['SEQUENCES_SEED']

/**
 * A sequence takes some 20 ms. One that takes a thousand times as long hangs: then what is pending is the failure,
 * which no pause of the machine is mistaken for.
 */
const HANG_MILLISECONDS = 40_000

/** What nothing must ever wait for. */
const NEVER = 86_400_000

const options: fc.Arbitrary<RingOptions> = fc.constantFrom(
  { drainTimeout: NEVER },
  { drainTimeout: NEVER, entries: 4, completionEntries: 8 },
  { drainTimeout: NEVER, entries: 8, completionEntries: 16, queueLimit: 6 },
  { drainTimeout: NEVER, entries: 8, completionEntries: 32, arenaBytes: 1 << 19 },
)

const setup: fc.Arbitrary<Setup> = fc.record({
  options,
  isNonblocking: fc.boolean(),
  initial: fc.nat({ max: 2 }),
})

/** Whether something takes longer than so many milliseconds. */
async function outlasts(running: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), milliseconds)
  })
  try {
    return await Promise.race([running.then(() => false), late])
  } finally {
    clearTimeout(timer)
  }
}

test('random sequences of calls lose, repeat and disorder nothing', async (t) => {
  t.timeout(2 * HANG_MILLISECONDS + 60_000 + RUNS * 1000)
  const before = openDescriptors().length
  const total: Tally = { calls: 0, cancelled: 0, beaten: 0, written: 0, delivered: 0, reissued: 0 }
  let hangs = false
  const property = fc.asyncProperty(setup, sequences(COMMANDS), async (given, commands) => {
    // What follows a hang says nothing.
    if (hangs) return
    const model = modelOf(given)
    const world = new World(given)
    try {
      const running = (async () => {
        await fc.asyncModelRun(() => ({ model, real: world }), commands)
        await world.end()
      })()
      hangs = await outlasts(running, HANG_MILLISECONDS)
      if (hangs) throw new Error(`it hangs; pending: ${world.pending().join(', ')}`)
      const tally = world.verify(model)
      for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += tally[key]
    } finally {
      if (hangs) world.abandon()
      else await world.close(model)
    }
  })
  await fc.assert(property, {
    numRuns: RUNS,
    includeErrorInReport: true,
    ...(SEED === undefined ? {} : { seed: Number(SEED) }),
  })
  for (let count = 0; count < 5; count += 1) await turn()
  t.is(openDescriptors().length, before, 'no descriptor is left')
  t.log(JSON.stringify(total))
  t.true(total.cancelled > 0 && total.beaten > 0 && total.delivered > 0, 'everything must have happened')
})

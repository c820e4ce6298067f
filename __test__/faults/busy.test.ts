/**
 * A thread that is busy with something else for seconds: what the kernel completed meanwhile is neither given up nor reported,
 * however late the clock says that it is.
 */
import { closeSync, writeSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'

import test from 'ava'
import { eventfd, type OperationOptions, Ring } from 'uring-safe-cancel'

import { eventBytes, fate, spin } from '../helpers.js'

/** Far above what one turn of the event loop delivers, and below what a ring has in flight. */
const READS = 900
const ONE = eventBytes(1n)

/** Reads that wait, each on an eventfd of its own: a write to that completes it before it returns. */
class Reads {
  readonly #events = Array.from({ length: READS }, () => eventfd())
  readonly fates: Promise<string[]>

  constructor(ring: Ring, options: OperationOptions = {}) {
    const reads = this.#events.map((event) => ring.read(event, Buffer.alloc(8), { ...options }))
    this.fates = Promise.all(reads.map(fate))
  }

  complete(): void {
    for (const event of this.#events) writeSync(event, ONE)
  }

  close(): void {
    for (const event of this.#events) closeSync(event)
  }
}

/** How often each word came. */
function tally(words: string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

for (const drainTimeout of [0, 1, 5, 100]) {
  for (const isBusy of [false, true]) {
    for (const isDestroyedFirst of [false, true]) {
      const when = isDestroyedFirst ? 'after the call' : 'before it'
      test(`clause 4, nothing lost: destroy with drainTimeout ${drainTimeout} delivers what was read ${when}, ${isBusy ? 'busy' : 'at once'}`, async (t) => {
        const ring = new Ring({ drainTimeout })
        const reads = new Reads(ring)
        await turn()
        let destroyed: Promise<void>
        if (isDestroyedFirst) {
          destroyed = ring.destroy()
          reads.complete()
        } else {
          reads.complete()
          destroyed = ring.destroy()
        }
        if (isBusy) spin(1000 * (drainTimeout + 50))
        await destroyed
        t.deepEqual(tally(await reads.fates), { resolved: READS })
        t.like(ring.stats(), { submitted: READS, completed: READS, inFlight: 0, queued: 0 })
        reads.close()
      })
    }
  }
}

test('clause 3, memory: what hangs is cancelled, not given up, however long the thread was busy after destroy()', async (t) => {
  const ring = new Ring({ drainTimeout: 20 })
  const reads = new Reads(ring)
  await turn()
  const destroyed = ring.destroy()
  spin(100_000)
  await destroyed
  t.deepEqual(tally(await reads.fates), { ABORT_ERR: READS })
  reads.close()
})

test('clause 2, live: reads that were over are not reported as stuck', async (t) => {
  const stuckAfter = 200
  const ring = new Ring({ cancel: { stuckAfter } })
  let reports = 0
  ring.on('stuck', () => (reports += 1))
  const reads = new Reads(ring)
  await turn()
  void ring.cancelAll()
  // The flush at the end of this run of microtasks issues the cancels, which work, and delivers what its budget allows.
  await Promise.resolve()
  t.is(ring.stats().cancelAttempts, READS)
  t.true(ring.stats().completed < READS, 'the budget keeps some back')
  spin(1000 * (stuckAfter + 100))
  t.deepEqual(tally(await reads.fates), { ABORT_ERR: READS })
  t.is(reports, 0)
  t.is(ring.stats().stuck, 0)
  await ring.destroy()
  reads.close()
})

test('clause 4, nothing lost: reads that were over in time do not time out', async (t) => {
  const timeout = 100
  const ring = new Ring()
  const reads = new Reads(ring, { timeout })
  await turn()
  reads.complete()
  spin(1000 * (timeout + 100))
  t.deepEqual(tally(await reads.fates), { resolved: READS })
  t.like(ring.stats(), { cancelsRequested: 0, cancelAttempts: 0 })
  await ring.destroy()
  reads.close()
})

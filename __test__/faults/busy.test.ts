/**
 * A thread that is busy with something else for seconds: what the kernel completed meanwhile is neither given up nor reported,
 * however late the clock says that it is.
 */
import { writeSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'

import test from 'ava'
import { eventfd, pipe, Ring } from 'uring-safe-cancel'

import { fate, spin } from '../helpers.js'

/** Far above what one turn of the event loop delivers, and below what a ring has in flight. */
const READS = 3000
const BYTES = 16

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
        const { readFd, writeFd } = pipe()
        const reads = Array.from({ length: READS }, () => ring.read(readFd, Buffer.alloc(BYTES)))
        const fates = Promise.all(reads.map(fate))
        await turn()
        const write = () => {
          for (let index = 0; index < READS; index += 1) writeSync(writeFd, Buffer.alloc(BYTES))
        }
        let destroyed: Promise<void>
        if (isDestroyedFirst) {
          destroyed = ring.destroy()
          write()
        } else {
          write()
          destroyed = ring.destroy()
        }
        if (isBusy) spin(1000 * (drainTimeout + 50))
        await destroyed
        t.deepEqual(tally(await fates), { resolved: READS })
        t.like(ring.stats(), { submitted: READS, completed: READS, arenaHeld: 0 })
      })
    }
  }
}

test('clause 3, memory: what hangs is cancelled, not given up, however long the thread was busy after destroy()', async (t) => {
  const ring = new Ring({ drainTimeout: 20 })
  const event = eventfd()
  const fates = Promise.all(Array.from({ length: READS }, () => fate(ring.read(event, { length: 8 }))))
  await turn()
  const destroyed = ring.destroy()
  spin(100_000)
  await destroyed
  t.deepEqual(tally(await fates), { ABORT_ERR: READS })
})

test('clause 2, live: reads that were over are not reported as stuck', async (t) => {
  const stuckAfter = 200
  const ring = new Ring({ cancel: { stuckAfter } })
  let reports = 0
  ring.on('stuck', () => (reports += 1))
  const { readFd, writeFd } = pipe()
  const reads = Array.from({ length: READS }, () => ring.read(readFd, Buffer.alloc(BYTES)))
  const fates = Promise.all(reads.map(fate))
  await turn()
  // Cancels go to the kernel in turns: some hundreds of these wait for theirs.
  void ring.cancelAll()
  await Promise.resolve()
  await Promise.resolve()
  for (let index = 0; index < READS; index += 1) writeSync(writeFd, Buffer.alloc(BYTES))
  spin(1000 * (stuckAfter + 100))
  const counts = tally(await fates)
  t.is((counts['resolved'] ?? 0) + (counts['ABORT_ERR'] ?? 0), READS)
  t.is(reports, 0)
  t.is(ring.stats().stuck, 0)
  await ring.destroy()
})

test('clause 4, nothing lost: reads that were over in time do not time out', async (t) => {
  const timeout = 100
  const ring = new Ring()
  const { readFd, writeFd } = pipe()
  const reads = Array.from({ length: READS }, () => ring.read(readFd, Buffer.alloc(BYTES), { timeout }))
  const fates = Promise.all(reads.map(fate))
  await turn()
  for (let index = 0; index < READS; index += 1) writeSync(writeFd, Buffer.alloc(BYTES))
  spin(1000 * (timeout + 100))
  t.deepEqual(tally(await fates), { resolved: READS })
  t.like(ring.stats(), { cancelsRequested: 0, cancelAttempts: 0 })
  await ring.destroy()
})

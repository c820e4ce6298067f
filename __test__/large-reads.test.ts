/** How results are copied that are too large to be copied at once. */
import { setImmediate as turn } from 'node:timers/promises'

import test from 'ava'

import { fileFor, ringFor } from './helpers.js'

const KIB = 1024
const MIB = 1024 * KIB

/** How many turns of the event loop a promise takes. */
async function turnsOf(promise: Promise<unknown>): Promise<number> {
  const progress = { turns: 0, isSettled: false }
  void promise.then(() => (progress.isSettled = true))
  while (!progress.isSettled) {
    await turn()
    progress.turns += 1
  }
  return progress.turns
}

test('results of together more than a megabyte are copied over several turns of the event loop', async (t) => {
  const ring = ringFor(t)
  const size = 256 * KIB
  const fd = fileFor(t, Buffer.alloc(size, 'x'))
  const reads = Array.from({ length: 64 }, () => ring.read(fd, Buffer.alloc(size), { position: 0 }))
  const turns = await turnsOf(Promise.all(reads))
  for (const { bytesRead, buffer } of await Promise.all(reads)) {
    t.is(bytesRead, size)
    t.is(buffer[size - 1], 120)
  }
  // 16 MiB: at most two or three of them in a turn.
  t.log(`${turns} turns`)
  t.true(turns >= 5)

  // What the kernel has put where it belongs takes no turn for its bytes.
  const core = ring.alloc(size)
  const direct = Array.from({ length: 64 }, () => ring.read(fd, core, { position: 0 }))
  const directTurns = await turnsOf(Promise.all(direct))
  t.log(`on core memory: ${directTurns} turns`)
  t.true(directTurns < turns)
})

test('a result does not wait for larger ones that are being copied', async (t) => {
  const ring = ringFor(t)
  const size = 128 * MIB
  const fd = fileFor(t, Buffer.alloc(size, 'x'))
  let isCopied = false
  const large = ring.read(fd, Buffer.alloc(size), { position: 0 })
  void large.then(() => (isCopied = true))
  while (ring.stats().inFlight > 0 || ring.stats().completed === 0) await turn()
  const core = ring.alloc(72 * KIB)
  const others = {
    small: ring.read(fd, Buffer.alloc(100 * KIB), { position: 0 }),
    'of more than a turn': ring.read(fd, Buffer.alloc(3 * MIB), { position: 0 }),
    'on core memory': ring.readv(fd, [core.subarray(0, 4 * KIB), core.subarray(4 * KIB)], 0),
  }
  for (const [name, read] of Object.entries(others)) {
    t.true((await read).bytesRead > 0)
    t.false(isCopied, name)
  }
  const { bytesRead, buffer } = await large
  t.is(bytesRead, size)
  t.true(buffer[0] === 120 && buffer[size - 1] === 120)
})

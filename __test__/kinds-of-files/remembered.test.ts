/** What the ring remembers of a number whose owner closed it: it may cost time, or an error, and never holds the loop. */
import { closeSync, constants, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import test, { type ExecutionContext } from 'ava'
import type { Ring } from 'uring-safe-cancel'

import { directoryFor, fate, ringFor } from '../helpers.js'
import { HOLD, isFree } from './gap.js'
import { slaveFor } from './terminal.js'

const { O_NOCTTY, O_RDWR } = constants

/** More than a terminal takes. */
const MUCH = 1 << 20

function pathFor(t: ExecutionContext): string {
  const path = join(directoryFor(t), 'file')
  writeFileSync(path, 'content')
  return path
}

/** Numbers that were a file's, of which the ring has an idea, and how they are written to afterwards. */
const NUMBERS: Record<string, { position?: number; make: (ring: Ring, path: string) => Promise<number> }> = {
  'a number that was written to at a position': {
    position: 0,
    make: async (ring, path) => {
      const fd = openSync(path, 'r+')
      for (let count = 0; count < 3; count += 1) await ring.write(fd, 'x', { position: 0 })
      return fd
    },
  },
  'a number that was written to at the current position': {
    make: async (ring, path) => {
      const fd = openSync(path, 'r+')
      for (let count = 0; count < 3; count += 1) await ring.write(fd, 'x')
      return fd
    },
  },
  'a number that the ring opened, and node:fs closed': {
    make: async (ring, path) => {
      const fd = await ring.open(path, 'r+')
      await ring.write(fd, 'x')
      return fd
    },
  },
}

for (const [name, { position, make }] of Object.entries(NUMBERS)) {
  test(`${name}, and is a terminal's now, holds no loop`, async (t) => {
    const ring = ringFor(t)
    const { path, other } = await slaveFor(t, { raw: true })
    await other.drain(HOLD)
    const fd = await make(ring, pathFor(t))
    await delay(20)
    closeSync(fd)
    const again = openSync(path, O_RDWR | O_NOCTTY)
    t.is(again, fd, 'the number is used again')
    await isFree(t, name, async () => {
      const options = { timeout: 300, ...(position !== undefined && { position }) }
      t.log(await fate(ring.write(fd, Buffer.alloc(MUCH), options)))
      t.is(await other.drained(), 0, 'it ended because somebody read')
    })
    closeSync(fd)
  })
}

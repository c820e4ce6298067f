/**
 * What the ring remembers of a number whose owner closed it. Where it remembers for longer than a flush it may be wrong, and hold
 * the loop: docs/contract.md names these cases ("What is known of a number"), and here they are shown.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
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
const NUMBERS: Record<
  string,
  { position?: number; isNamed?: boolean; make: (ring: Ring, path: string) => Promise<number> }
> = {
  'a number that was written to at a position': {
    position: 0,
    isNamed: true,
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
  // Of such a number a cheaper question is asked first.
  "a number that was a pipe's": {
    make: async (ring, path) => {
      const fifo = `${path}.fifo`
      execFileSync('mkfifo', [fifo])
      const fd = openSync(fifo, 'r+')
      for (let count = 0; count < 3; count += 1) await ring.write(fd, 'x')
      return fd
    },
  },
  'a number that the ring opened, and node:fs closed': {
    isNamed: true,
    make: async (ring, path) => {
      const fd = await ring.open(path, 'r+')
      await ring.write(fd, 'x')
      return fd
    },
  },
}

/** From here on the kernel waits in the call for a terminal that it was given plain. */
const WAITS_INLINE = { major: 6, minor: 9 }

function waitsInline(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number)
  return major > WAITS_INLINE.major || (major === WAITS_INLINE.major && minor >= WAITS_INLINE.minor)
}

for (const [name, { position, isNamed = false, make }] of Object.entries(NUMBERS)) {
  const title = isNamed ? 'may hold the loop, as the contract says' : 'holds no loop'
  test(`${name}, and is a terminal's now, ${title}`, async (t) => {
    const ring = ringFor(t)
    const { path, other } = await slaveFor(t, { raw: true })
    await other.drain(HOLD)
    const fd = await make(ring, pathFor(t))
    await delay(20)
    closeSync(fd)
    const again = openSync(path, O_RDWR | O_NOCTTY)
    t.is(again, fd, 'the number is used again')
    const write = async (): Promise<void> => {
      const options = { timeout: 300, ...(position !== undefined && { position }) }
      t.log(await fate(ring.write(fd, Buffer.alloc(MUCH), options)))
    }
    if (isNamed) {
      await write()
      t.is((await other.drained()) > 0, waitsInline(), 'it ended because somebody read')
    } else {
      await isFree(t, name, write)
      t.is(await other.drained(), 0, 'it ended because somebody read')
    }
    closeSync(fd)
  })
}

/** Files of a FUSE server that is slow, or silent: plain operations on them hold no loop, `async` or not. */
import { closeSync, constants, openSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

import test from 'ava'
import { Ring } from 'uring-safe-cancel'

import { fate, ringFor } from '../helpers.js'
import { lateFile } from '../silent-fuse.js'
import { isFree, LONGEST_GAP } from './gap.js'

/** When a slow server answers. */
const LATE = 2 * LONGEST_GAP

/** When a silent one would: later than any test, if the ring is right; and not so late that a test of a wrong one hangs. */
const NEVER = 8 * LONGEST_GAP

const OPERATIONS: Record<
  string,
  { name: string; right: number; submit: (ring: Ring, fd: number) => Promise<number> }
> = {
  'read at a position': {
    name: 'read',
    right: 4096,
    submit: async (ring, fd) => (await ring.read(fd, { length: 4096, position: 0 })).bytesRead,
  },
  'read at the current position': {
    name: 'read',
    right: 4096,
    submit: async (ring, fd) => (await ring.read(fd, { length: 4096 })).bytesRead,
  },
  readv: {
    name: 'read',
    right: 4096,
    submit: async (ring, fd) => (await ring.readv(fd, [Buffer.alloc(4096)], 0)).bytesRead,
  },
  'write at a position': {
    name: 'write',
    right: 4096,
    submit: async (ring, fd) => (await ring.write(fd, Buffer.alloc(4096), { position: 0 })).bytesWritten,
  },
  'write at the current position': {
    name: 'write',
    right: 4096,
    submit: async (ring, fd) => (await ring.write(fd, Buffer.alloc(4096))).bytesWritten,
  },
  writev: {
    name: 'write',
    right: 4096,
    submit: async (ring, fd) => (await ring.writev(fd, [Buffer.alloc(4096)], 0)).bytesWritten,
  },
  poll: { name: 'poll', right: 5, submit: (ring, fd) => ring.poll(fd, 5) },
}

test('plain operations on files whose server is slow end when it answers, and the loop is free', async (t) => {
  const ring = ringFor(t)
  const files = await Promise.all(Object.values(OPERATIONS).map(({ name }) => lateFile(t, LATE, name)))
  const fds = files.map(({ path }) => openSync(path, 'r+'))
  await isFree(t, 'all of them', async () => {
    const ends = Object.values(OPERATIONS).map(({ submit }, index) => submit(ring, fds[index] ?? -1))
    // None of them may keep a nop waiting.
    for (let count = 0; count < 100; count += 1) await ring.nop()
    for (const [index, [what, { right }]] of Object.entries(OPERATIONS).entries())
      t.is(await ends[index], right, what)
  })
  for (const fd of fds) closeSync(fd)
})

for (const [what, { name, submit }] of Object.entries(OPERATIONS)) {
  test(`${what}, plain, of a file whose server is silent holds no loop, and destroy() gives it up`, async (t) => {
    const ring = new Ring({ drainTimeout: 100 })
    const { path, end } = await lateFile(t, NEVER, name)
    const fd = openSync(path, 'r+')
    await isFree(t, what, async () => {
      const operation = submit(ring, fd)
      const how = fate(operation)
      for (let count = 0; count < 100; count += 1) await ring.nop()
      await delay(50)
      void ring.cancelFd(fd)
      await ring.destroy()
      // What waited in a worker alone could be cancelled before it had begun.
      t.true(['ERR_OPERATION_STUCK', 'ABORT_ERR'].includes(await how), await how)
    })
    closeSync(fd)
    await end()
  })
}

test('an open whose server is slow ends when it answers, with whatever flags, and the loop is free', async (t) => {
  const ring = ringFor(t)
  const kinds = await Promise.all(
    ['r', 'r+', constants.O_NONBLOCK].map(async (flags) => ({
      flags,
      file: await lateFile(t, LATE, 'open'),
    })),
  )
  await isFree(t, 'the opens', async () => {
    const opens = kinds.map(({ file, flags }) => ring.open(file.path, flags))
    for (let count = 0; count < 100; count += 1) await ring.nop()
    for (const fd of await Promise.all(opens)) closeSync(fd)
  })
})

test('an open whose server is silent ends by a timeout, and the loop is free', async (t) => {
  const ring = new Ring({ drainTimeout: 100 })
  const { path, end } = await lateFile(t, NEVER, 'open')
  await isFree(t, 'open', async () => {
    const opening = fate(ring.open(path, 'r', 0, { timeout: 100 }))
    for (let count = 0; count < 100; count += 1) await ring.nop()
    await delay(200)
    await ring.destroy()
    t.true(['TIMEOUT_ERR', 'ERR_OPERATION_STUCK'].includes(await opening), await opening)
  })
  await end()
})

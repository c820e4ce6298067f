/**
 * Closes that wait: of a socket that lingers (SO_LINGER) over what its peer does not take, and of a file whose server is slow.
 *
 * A pseudo-terminal drops its output at the close, so three more take a real driver, in the device lab: a serial line that
 * waits for its output (closing_wait), its last reference that a cancel drops after fs.close, and an open of it with O_NONBLOCK
 * while another process closes it.
 */
import { closeSync, constants, openSync } from 'node:fs'

import test, { type ExecutionContext } from 'ava'

import { type Ended, runProgram } from '../fixtures/programs.js'
import { openDescriptors, ringFor } from '../helpers.js'
import { lateFile, sandboxProgram } from '../silent-fuse.js'
import { isFree, LONGEST_GAP } from './gap.js'

/** How long a close waits, in milliseconds: twice as long as a loop may stand still. */
const HOLD = 2 * LONGEST_GAP

/** The socket's descriptor in the programs. */
const SOCKET = 9

const HEAD = `
  import fs from 'node:fs'
  import { setTimeout as delay } from 'node:timers/promises'
  import { Worker } from 'node:worker_threads'
  import { Ring } from 'uring-safe-cancel'
  const fill = () => {
    try {
      while (fs.writeSync(${SOCKET}, Buffer.alloc(1 << 20)) > 0);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
  // What the kernel has to tell of a new ring ends whatever waits in a call, like a signal.
  const idle = async (ring) => {
    for (let count = 0; count < 10; count += 1) await ring.nop()
    await delay(20)
  }
  let begun = performance.now()
  const since = () => Math.round(performance.now() - begun)
  let gap = 0
  let last = performance.now()
  const look = () => {
    gap = Math.max(gap, performance.now() - last)
    last = performance.now()
  }
  const timer = setInterval(look, 10)
  const told = {}
  const tell = () => {
    look()
    clearInterval(timer)
    fs.writeSync(1, JSON.stringify({ ...told, gap: Math.round(gap) }) + '\\n')
  }
`

interface Told {
  gap: number
  cancelled?: number
  others?: number
  settled?: number
  destroyed?: number
  ended?: number
}

/** Runs a program that has the socket, and says what it printed, and how long it lived afterwards. */
async function withSocket(t: ExecutionContext, code: string): Promise<Told & { lived: number }> {
  let begun = 0
  const onLine = () => (begun = performance.now())
  const launcher = [sandboxProgram('linger'), String(HOLD / 1000), String(SOCKET)]
  const ended: Ended = await runProgram(HEAD + code, { launcher, onLine })
  const lived = Math.round(performance.now() - begun)
  t.is(ended.status, 0, ended.errors)
  const told = { ...(JSON.parse(ended.output) as Told), lived }
  t.log(`${JSON.stringify(told)}, where the socket lingers for ${HOLD} ms`)
  return told
}

test('closeFd of a socket that lingers cancels first, settles when it is closed, and keeps nothing else waiting', async (t) => {
  const {
    gap,
    cancelled = Infinity,
    others = Infinity,
    settled = 0,
  } = await withSocket(
    t,
    `
      const ring = new Ring()
      await idle(ring)
      fill()
      begun = performance.now()
      const reading = ring.read(${SOCKET}, { length: 8 }).then(() => 'read', (error) => error.code)
      await ring.nop()
      const closing = ring.closeFd(${SOCKET})
      told.how = await reading
      told.cancelled = since()
      for (let count = 0; count < 50; count += 1) {
        const fd = await ring.open('/proc/self/stat', 'r')
        await ring.read(fd, { length: 64 })
        await ring.closeFd(fd)
      }
      told.others = since()
      await closing
      told.settled = since()
      if (told.how !== 'ABORT_ERR') throw new Error('the read was not cancelled')
      await ring.destroy()
      tell()`,
  )
  t.true(gap < LONGEST_GAP, `the loop stood still for ${gap} ms`)
  t.true(cancelled < HOLD / 2, 'the read waited until the socket was closed')
  t.true(others < HOLD, 'other operations waited until the socket was closed')
  t.true(settled >= HOLD - 100, `it settled after ${settled} ms, while the socket lingered`)
})

test('destroy() waits for a close that waits no longer than its drain time', async (t) => {
  const { gap, destroyed = Infinity } = await withSocket(
    t,
    `
      const ring = new Ring({ drainTimeout: 200 })
      await idle(ring)
      fill()
      const closing = ring.closeFd(${SOCKET}).then(() => 'closed', (error) => error.code)
      await ring.destroy()
      told.destroyed = since()
      told.how = await closing
      tell()`,
  )
  t.true(gap < LONGEST_GAP, `the loop stood still for ${gap} ms`)
  t.true(destroyed < HOLD, `destroy() took ${destroyed} ms`)
})

test('a close that waits keeps the process until it is done', async (t) => {
  const { lived, gap } = await withSocket(
    t,
    `
      const ring = new Ring()
      await idle(ring)
      fill()
      void ring.closeFd(${SOCKET})
      await delay(50)
      tell()`,
  )
  t.true(gap < LONGEST_GAP, `the loop stood still for ${gap} ms`)
  t.true(lived > HOLD / 2, `the process ended after ${lived} ms`)
})

test('process.exit() does not wait for a close that waits', async (t) => {
  const { lived, gap } = await withSocket(
    t,
    `
      const ring = new Ring()
      await idle(ring)
      fill()
      ring.closeFd(${SOCKET}).catch(() => {})
      await delay(100)
      tell()
      process.exit(0)`,
  )
  t.true(gap < LONGEST_GAP, `the loop stood still for ${gap} ms`)
  t.true(lived < HOLD / 2, `the process ended after ${lived} ms`)
})

test("a worker's end waits for a close that waits as for one of fs.close, and the main thread goes on", async (t) => {
  const { gap, ended = Infinity } = await withSocket(
    t,
    `
      fill()
      const code = \`
        import('uring-safe-cancel').then(async ({ Ring }) => {
          const ring = new Ring()
          for (let count = 0; count < 10; count += 1) await ring.nop()
          ring.closeFd(${SOCKET}).catch(() => {})
          setTimeout(async () => (await import('node:worker_threads')).parentPort.postMessage('closing'), 100)
        })\`
      const worker = new Worker(code, { eval: true })
      await new Promise((resolve) => worker.once('message', resolve))
      const terminating = performance.now()
      await worker.terminate()
      told.ended = Math.round(performance.now() - terminating)
      tell()
      await delay(100)`,
  )
  t.true(gap < LONGEST_GAP, `the loop stood still for ${gap} ms`)
  t.true(ended < HOLD + LONGEST_GAP, `the worker ended after ${ended} ms`)
})

// Files of a server.

test('closeFd of a file whose server is slow settles when that has answered, whoever opened it, and holds no loop', async (t) => {
  const ring = ringFor(t)
  const { path } = await lateFile(t, HOLD, 'flush')
  const fds = [openSync(path, 'r'), await ring.open(path, 'r')]
  await isFree(t, 'closeFd', async () => {
    const begun = performance.now()
    const closing = Promise.all(fds.map((fd) => ring.closeFd(fd)))
    for (let count = 0; count < 100; count += 1) await ring.nop()
    await closing
    t.true(performance.now() - begun >= HOLD - 100, 'it settled before its server had answered')
  })
  t.false(openDescriptors().includes(path))
})

test('the duplicate of an operation on a file whose server is slow at closes is closed without holding the loop', async (t) => {
  const ring = ringFor(t)
  const { path } = await lateFile(t, HOLD, 'flush,read')
  const fd = openSync(path, 'r')
  await isFree(t, 'a read', async () => {
    t.is((await ring.read(fd, { length: 16, async: true })).bytesRead, 16)
    for (let count = 0; count < 100; count += 1) await ring.nop()
  })
  await isFree(t, 'closeFd', () => ring.closeFd(fd))
})

test('closeFd of a number that is not open, or of an odd kind, says what close(2) says', async (t) => {
  const ring = ringFor(t)
  const fd = openSync('/dev/null', 'r')
  closeSync(fd)
  await t.throwsAsync(ring.closeFd(fd), { code: 'EBADF' })
  for (const [path, flags] of [
    ['/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY],
    ['/proc/self/stat', constants.O_RDONLY],
    ['/dev/urandom', constants.O_RDONLY],
    ['/', constants.O_DIRECTORY],
    ['/', constants.O_RDONLY | 0o10000000],
  ] as const) {
    const open = openSync(path, flags)
    t.is(await ring.closeFd(open), undefined, path)
    t.throws(() => closeSync(open), { code: 'EBADF' }, path)
  }
})

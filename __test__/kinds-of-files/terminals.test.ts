/** Terminals: they can be polled, and then wait all the same. What ends an operation on them, and that the loop is free. */
import { constants, openSync } from 'node:fs'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import test, { type ExecutionContext } from 'ava'
import type { Ring } from 'uring-safe-cancel'
import { AbortError, TimeoutError } from 'uring-safe-cancel'

import { fate, PATIENCE_MILLISECONDS, ringFor, until } from '../helpers.js'
import { HOLD, isFree, LONGEST_GAP } from './gap.js'
import { masterFor, slaveFor, type OtherEnd, type Terminal } from './terminal.js'

/** More than a terminal takes in, whichever end. */
const MUCH = 1 << 20

/** How long an operation waits before a test ends it: long enough to be seen by {@link isFree}'s watch. */
const SOON = 300

type Ender = (ring: Ring, writing: Promise<unknown>, terminal: Terminal) => Promise<unknown>

const ENDERS: Record<string, Ender> = {
  'a timeout': (_, writing) => writing,
  'a signal': (_, writing) => writing,
  cancel: (ring, writing) => delay(SOON).then(() => ring.cancel(writing)),
  cancelFd: (ring, _, { fd }) => delay(SOON).then(() => ring.cancelFd(fd)),
  'destroy()': (ring) => delay(SOON).then(() => ring.destroy()),
}

/** What a write that was ended tells: all that the other end comes to read, and no more. */
async function isCounted(
  t: ExecutionContext,
  writing: Promise<{ bytesWritten: number }>,
  { other }: Terminal,
) {
  const bytesWritten = await writing.then(
    (result) => result.bytesWritten,
    (error: unknown) => {
      // The machine is so slow that nobody had begun.
      t.true(error instanceof AbortError || error instanceof TimeoutError, String(error))
      return 0
    },
  )
  t.is(await other.drained(), 0, 'it ended because somebody read')
  t.true(bytesWritten < MUCH, `${bytesWritten} bytes`)
  await other.drain()
  await comes(t, other, bytesWritten)
  // Whatever was written beside them would follow.
  await delay(20)
  t.is(await other.drained(), bytesWritten, 'what came at the other end')
}

/**
 * Waits until nothing of a new ring's beginning is under way: where a call waits inside the kernel, whatever the kernel has to
 * tell the thread ends it like a signal, and a test would not see that it waits.
 */
async function idle(ring: Ring): Promise<void> {
  for (let count = 0; count < 10; count += 1) await ring.nop()
  await delay(20)
}

/** Waits until so many bytes came at the other end. */
async function comes(t: ExecutionContext, other: OtherEnd, bytes: number): Promise<void> {
  const end = performance.now() + PATIENCE_MILLISECONDS
  while ((await other.drained()) < bytes) {
    if (performance.now() > end) return t.fail(`of ${bytes} bytes ${await other.drained()} came`)
    await delay(5)
  }
}

for (const [end, open] of Object.entries({ slave: slaveFor, master: masterFor })) {
  for (const [name, ender] of Object.entries(ENDERS)) {
    test(`clause 2, live: ${name} ends a write to a terminal's ${end} that nobody reads`, async (t) => {
      const ring = ringFor(t)
      const terminal = await open(t, { raw: true })
      await terminal.other.drain(HOLD)
      const controller = new AbortController()
      const options = {
        ...(name === 'a timeout' && { timeout: SOON }),
        ...(name === 'a signal' && { signal: controller.signal }),
      }
      await isFree(t, name, async () => {
        await idle(ring)
        setTimeout(() => controller.abort(), SOON)
        const writing = ring.write(terminal.fd, Buffer.alloc(MUCH, 'x'), options)
        await ender(ring, writing, terminal)
        await isCounted(t, writing, terminal)
      })
    })
  }

  test(`other operations go on while a write to a terminal's ${end} waits`, async (t) => {
    const ring = ringFor(t)
    const terminal = await open(t, { raw: true })
    await terminal.other.drain(HOLD)
    await isFree(t, 'nops', async () => {
      await idle(ring)
      const writing = ring.write(terminal.fd, Buffer.alloc(MUCH, 'x'))
      for (let count = 0; count < 100; count += 1) await ring.nop()
      await delay(SOON)
      t.is(ring.stats().inFlight, 1, 'the write still waits')
      await ring.cancel(writing)
      await isCounted(t, writing, terminal)
    })
  })

  test(`clause 4, nothing lost: a write to a terminal's ${end} goes on when somebody reads`, async (t) => {
    const ring = ringFor(t)
    const terminal = await open(t, { raw: true })
    await isFree(t, 'a write', async () => {
      const sent = Buffer.alloc(MUCH, 'x')
      // Until then a call that waits holds the loop for longer than it may.
      await terminal.other.drain(LONGEST_GAP + SOON)
      let written = 0
      while (written < sent.length) written += (await ring.write(terminal.fd, sent, written)).bytesWritten
      await comes(t, terminal.other, sent.length)
    })
  })
}

test("clause 2, live: closeFd of a terminal's slave ends a write to it that nobody reads", async (t) => {
  const ring = ringFor(t)
  const terminal = await slaveFor(t, { raw: true })
  await terminal.other.drain(HOLD)
  const fd = openSync(terminal.path, constants.O_RDWR | constants.O_NOCTTY)
  await isFree(t, 'closeFd', async () => {
    await idle(ring)
    const writing = ring.write(fd, Buffer.alloc(MUCH, 'x'))
    await delay(SOON)
    await ring.closeFd(fd)
    await isCounted(t, writing, terminal)
  })
})

test('worker.terminate() ends a worker whose ring writes to a terminal that nobody reads', async (t) => {
  const terminal = await slaveFor(t, { raw: true })
  await terminal.other.drain(HOLD)
  const code = `
    import('uring-safe-cancel').then(({ Ring }) => {
      const ring = new Ring()
      ring.write(${terminal.fd}, Buffer.alloc(${MUCH})).catch(() => {})
      setImmediate(() => require('node:worker_threads').parentPort.postMessage('busy'))
    })`
  const worker = new Worker(code, { eval: true })
  const begun = performance.now()
  // A worker that is held never says so.
  await Promise.race([once(worker, 'message'), delay(HOLD / 4)])
  await worker.terminate()
  const took = performance.now() - begun
  t.log(`terminated after ${took.toFixed()} ms`)
  t.is(await terminal.other.drained(), 0, 'it ended because the terminal was read')
})

test('a hang-up ends a read and a write of a terminal, which wait, and the loop is free', async (t) => {
  for (const open of [slaveFor, masterFor]) {
    const ring = ringFor(t)
    const { fd, other } = await open(t, { raw: true })
    await idle(ring)
    await isFree(t, open.name, async () => {
      const reading = ring.read(fd, { length: 8 }).then(
        ({ bytesRead }) => String(bytesRead),
        (error: NodeJS.ErrnoException) => error.code,
      )
      const writing = ring.write(fd, Buffer.alloc(MUCH)).then(
        ({ bytesWritten }) => (bytesWritten > 0 && bytesWritten < MUCH ? 'some' : `${bytesWritten} bytes`),
        (error: NodeJS.ErrnoException) => error.code,
      )
      await delay(SOON)
      t.is(ring.stats().inFlight, 2)
      await other.hangUp()
      const read = await reading
      // A write(2) to a master whose slave is gone goes on waiting: Linux wakes it before the slave counts as gone.
      if (open === masterFor) await ring.cancelFd(fd)
      const ends = [read, await writing]
      t.log(`${open.name}: the read ${ends[0]}, the write ${ends[1]}`)
      t.true(['0', 'EIO'].includes(ends[0] ?? ''), ends[0])
      t.true(['some', 'EIO'].includes(ends[1] ?? ''), ends[1])
    })
  }
})

test('a read of a terminal that waits for more bytes (VMIN) or a pause (VTIME) holds no loop', async (t) => {
  const ring = ringFor(t)
  // The pause that ends such a read is 2 s.
  const terminal = await slaveFor(t, { min: 10, time: 20 })
  await terminal.other.write('abc')
  await isFree(t, 'a read of three bytes, of ten that it wants', async () => {
    const { bytesRead, buffer } = await ring.read(terminal.fd, { length: 64 })
    t.is(buffer.toString('latin1', 0, bytesRead), 'abc')
  })
})

/** What a read gets, as text. */
async function textOf(
  ring: Ring,
  fd: number,
  options: { signal?: AbortSignal; timeout?: number },
): Promise<string> {
  const { bytesRead, buffer } = await ring.read(fd, Buffer.alloc(64), options)
  return buffer.toString('latin1', 0, bytesRead)
}

test('clause 4, nothing lost: a read of a terminal that waits for more bytes ends by a timeout', async (t) => {
  const ring = ringFor(t)
  const terminal = await slaveFor(t, { min: 10, time: 20 })
  await terminal.other.write('abc')
  await isFree(t, 'a read that a timeout ends', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), SOON)
    const first = await textOf(ring, terminal.fd, { signal: controller.signal }).catch(() => '')
    // Either it tells of them, or they are still there.
    const rest = first === 'abc' ? '' : await textOf(ring, terminal.fd, { timeout: PATIENCE_MILLISECONDS })
    t.is(first + rest, 'abc')
  })
})

/**
 * Keys for two readers of one terminal: this ring's, which always has a read under way, and a process's, which ends when it has
 * got `keys`. The next one is the ring's. A read that waits inside the ring's call gets the next key, which only this loop
 * would send: the watchdog sends it.
 */
async function rivalry(t: ExecutionContext, terminal: Terminal, keys: number): Promise<void> {
  const ring = ringFor(t)
  const { other } = terminal
  await other.rival(keys)
  await other.watch(HOLD)
  let got = 0
  const failures: string[] = []
  const controller = new AbortController()
  const reading = (async () => {
    for (;;) {
      const how = await fate(
        ring
          .read(terminal.fd, { length: 1, signal: controller.signal })
          .then(({ bytesRead }) => (got += bytesRead)),
      )
      if (how === 'ABORT_ERR') return
      if (how !== 'resolved') {
        failures.push(how)
        return
      }
    }
  })()
  let rival = 0
  const end = performance.now() + PATIENCE_MILLISECONDS
  for (let sent = 1; rival < keys && failures.length === 0; sent += 1) {
    await other.write('x')
    do rival = await other.rivalled()
    while (got + rival < sent && failures.length === 0 && performance.now() < end)
    if (performance.now() > end)
      return t.fail(`of ${sent} keys the ring got ${got}, the other reader ${rival}`)
  }
  t.log(`${rival} times the ring found nothing: the other reader was first (${got} times the ring was)`)
  const before = got
  await other.write('y')
  await until(() => got > before || failures.length > 0, 'the next key, which nobody else reads')
  t.is(await other.barked(), 0, 'the loop stood still until the next key came')
  controller.abort()
  await reading
  t.deepEqual(failures, [])
  t.is(got, before + 1)
}

for (const [name, flags] of Object.entries({ '': 0, ', with O_NONBLOCK,': constants.O_NONBLOCK })) {
  test(`two readers of one terminal${name} hold no loop, get every key once, and a cancel ends the read`, async (t) => {
    const terminal = await slaveFor(t, { raw: true, flags })
    await isFree(t, 'keys', () => rivalry(t, terminal, 1000))
  })
}

test('a read of an O_NONBLOCK terminal that has lost its bytes to another reader waits without a processor', async (t) => {
  const ring = ringFor(t)
  const terminal = await slaveFor(t, { raw: true, flags: constants.O_NONBLOCK })
  await rivalry(t, terminal, 50)
  const time = async () => {
    const before = process.cpuUsage()
    await delay(WAIT)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  const without = await time()
  const reading = ring.read(terminal.fd, { length: 1 })
  const rejects = fate(reading)
  const during = await time()
  t.log(
    `${WAIT} ms of waiting: ${during.toFixed(1)} ms of processor with the read, ${without.toFixed(1)} without: ` +
      `${(((during - without) * 60_000) / WAIT).toFixed(1)} ms in a minute`,
  )
  t.true(during - without < WAIT / 10, 'it spins')
  t.is(ring.stats().inFlight, 1)
  await ring.cancel(reading)
  t.is(await rejects, 'ABORT_ERR')
})

/** How long the read above waits. */
const WAIT = 1000

test('a write at a position of a terminal is ESPIPE, as pwrite(2) is, and waits for nothing', async (t) => {
  const ring = ringFor(t)
  for (const open of [slaveFor, masterFor]) {
    const { fd, other } = await open(t, { raw: true })
    await other.drain(HOLD)
    await isFree(t, open.name, async () => {
      t.is(await fate(ring.write(fd, Buffer.alloc(MUCH), { position: 0 })), 'ESPIPE')
      t.is(await fate(ring.writev(fd, [Buffer.alloc(MUCH)], 0)), 'ESPIPE')
      t.is(await fate(ring.read(fd, { length: 8, position: 0, timeout: SOON })), 'ESPIPE')
      t.is(await fate(ring.readv(fd, [Buffer.alloc(8)], 0, { timeout: SOON })), 'ESPIPE')
    })
    t.is(await other.drained(), 0)
  }
})

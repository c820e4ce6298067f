/**
 * The operation table as a program sees it: what becomes of each kind of operation when it is cancelled. What the kernel
 * answers in each row is beside what the ring makes of it in crates/uring-safe-cancel/tests/operation_table.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { createServer, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import test, { type ExecutionContext } from 'ava'
import { eventfd, pipe, Ring, type CancelResult } from 'uring-safe-cancel'

import { runProgram } from './fixtures/programs.js'
import { closeAfter, directoryFor, eventBytes, fate, fileFor, openDescriptors, ringFor } from './helpers.js'
import { silentFile } from './silent-fuse.js'

/** Long enough for a worker of the kernel to be where it waits. Where it is not yet, the row holds nonetheless. */
const ARMING_MILLISECONDS = 5

/** As poll(2) has them. */
const [POLLIN, POLLOUT] = [1, 4]

/** How often what depends on the device's speed, or on a worker's, is tried. */
const ATTEMPTS = 200

/** Whether whoever runs this has said that there is no disk, which takes O_DIRECT and its time. */
function lacksDisk(t: ExecutionContext): boolean {
  const lacks = (process.env['OPERATION_TABLE_WITHOUT'] ?? '').split(',').includes('disk')
  if (lacks) t.pass('row: left out; OPERATION_TABLE_WITHOUT names disk')
  return lacks
}

function row(t: ExecutionContext, name: string, fields: object): void {
  t.log(`row: ${name}; ${JSON.stringify(fields)}`)
}

/** Files on which a read waits, by name. */
async function emptyFiles(t: ExecutionContext): Promise<Record<string, number>> {
  const { readFd, writeFd } = pipe()
  const fifo = join(directoryFor(t), 'fifo')
  execFileSync('mkfifo', [fifo])
  // For reading and writing, a FIFO opens without a peer.
  const fifoFd = openSync(fifo, constants.O_RDWR)
  const event = eventfd()
  const terminal = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY)
  closeAfter(t, readFd, writeFd, fifoFd, event, terminal)
  return { pipe: readFd, FIFO: fifoFd, eventfd: event, pty: terminal, socket: await socketFor(t) }
}

/** The descriptor of a TCP socket that Node does not read. */
async function socketFor(t: ExecutionContext): Promise<number> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const client = connect({ port: typeof address === 'object' ? (address?.port ?? 0) : 0, host: '127.0.0.1' })
  const [accepted]: Socket[] = await once(server, 'connection')
  t.teardown(() => {
    client.destroy()
    accepted?.destroy()
    server.close()
  })
  const handle: unknown = accepted === undefined ? undefined : Reflect.get(accepted, '_handle')
  return typeof handle === 'object' && handle !== null ? Number(Reflect.get(handle, 'fd')) : -1
}

/** Files on which a write waits, by name. */
function fullFiles(t: ExecutionContext): Record<string, number> {
  const { readFd, writeFd } = pipe({ nonblocking: true })
  try {
    for (;;) writeSync(writeFd, Buffer.alloc(4096))
  } catch (error) {
    t.is(error instanceof Error && 'code' in error ? error.code : error, 'EAGAIN')
  }
  const event = eventfd()
  writeSync(event, eventBytes(0xffff_ffff_ffff_fffen))
  closeAfter(t, readFd, writeFd, event)
  return { 'full pipe': writeFd, 'full eventfd': event }
}

/** Lets an operation wait, cancels it, and expects that this ended it. */
async function endsByCancel(
  t: ExecutionContext,
  ring: Ring,
  name: string,
  start: (async: boolean) => Promise<unknown>,
): Promise<void> {
  for (const async of [false, true]) {
    const operation = start(async)
    const settled = fate(operation)
    await delay(ARMING_MILLISECONDS)
    t.is(ring.stats().inFlight, 1, `${name} waits`)
    const { outcome, attempts } = await ring.cancel(operation)
    row(t, `${name}, ${async ? 'async' : 'plain'}`, { outcome, attempts })
    t.is(outcome, 'cancelled', name)
    t.true(attempts >= 1)
    t.is(await settled, 'ABORT_ERR')
    t.like(ring.stats(), { inFlight: 0, queued: 0 })
  }
}

test('what waits for a file or for time ends by its cancel', async (t) => {
  const ring = ringFor(t)
  for (const [name, fd] of Object.entries(await emptyFiles(t))) {
    await endsByCancel(t, ring, `read, ${name}`, (async) => ring.read(fd, { length: 64, async }))
    await endsByCancel(t, ring, `readv, ${name}`, (async) =>
      ring.readv(fd, [Buffer.alloc(8), ring.alloc(8)], null, { async }),
    )
    await endsByCancel(t, ring, `poll, ${name}`, (async) => ring.poll(fd, POLLIN, { async }))
  }
  const one = eventBytes(1n)
  for (const [name, fd] of Object.entries(fullFiles(t))) {
    await endsByCancel(t, ring, `write, ${name}`, (async) => ring.write(fd, one, { async }))
    await endsByCancel(t, ring, `writev, ${name}`, (async) => ring.writev(fd, [one, one], null, { async }))
    await endsByCancel(t, ring, `poll, ${name}`, (async) => ring.poll(fd, POLLOUT, { async }))
  }
  await endsByCancel(t, ring, 'sleep, -', (async) => ring.sleep(3_600_000, { async }))
  const nop = ring.nop()
  t.is((await ring.cancel(nop)).outcome, 'completed')
  t.is(ring.stats().cancelAnswers.other, 0)
})

/** 16 MiB take a device some ten milliseconds. */
const LARGE = 16 << 20

/** Eight bytes that say where they are, and so on. */
function pattern(bytes: number): Buffer {
  const words = new BigUint64Array(bytes / 8)
  for (let index = 0; index < words.length; index += 1) words[index] = BigInt(index + 1)
  return Buffer.from(words.buffer)
}

/** A large file on a disk, open for direct reads. */
function directFile(t: ExecutionContext, content: Buffer): number {
  const path = join(directoryFor(t), 'direct')
  writeFileSync(path, content, { flush: true })
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECT)
  closeAfter(t, fd)
  return fd
}

/** Completed in spite of several cancels: it was on its way when the first one came. */
function isHit({ outcome, attempts }: CancelResult): boolean {
  return outcome === 'completed' && attempts > 1
}

test('an O_DIRECT read that is cancelled mid-flight settles with its data', async (t) => {
  if (lacksDisk(t)) return
  const ring = ringFor(t)
  const content = pattern(LARGE)
  const fd = directFile(t, content)
  for (const async of [false, true]) {
    const results: CancelResult[] = []
    while (!results.some(isHit) && results.length < ATTEMPTS) {
      const reading = ring.read(fd, ring.alloc(LARGE), { position: 0, async })
      const settled = reading.then(
        ({ bytesRead, buffer }) => bytesRead === LARGE && buffer.equals(content),
        () => 'rejected',
      )
      // Later with each round, so that some cancel comes after a worker of the kernel has begun.
      if (async) await delay(results.length % 10)
      else await ring.nop()
      const result = await ring.cancel(reading)
      t.is(await settled, result.outcome === 'completed' ? true : 'rejected')
      results.push(result)
    }
    row(t, `read, O_DIRECT file, ${async ? 'async' : 'plain'}`, {
      rounds: results.length,
      ...results.find(isHit),
    })
    t.true(results.some(isHit), 'no cancel met a read on its way: the test proved nothing')
  }
})

test('writes on one file that are cancelled are written whole, or not at all', async (t) => {
  if (lacksDisk(t)) return
  const ring = ringFor(t)
  const each = 4 << 20
  const bytes = Buffer.alloc(each, 'w')
  const fd = fileFor(t, Buffer.alloc(6 * each))
  let [cancelled, written] = [0, 0]
  for (let attempt = 0; attempt < ATTEMPTS && (cancelled === 0 || written === 0); attempt += 1) {
    await ring.write(fd, Buffer.alloc(6 * each), { position: 0 })
    const writes = Array.from({ length: 6 }, (_, index) =>
      ring.write(fd, bytes, { position: index * each, async: true, onCancel: 'resolve' }),
    )
    await delay(attempt % 10)
    // The last first: it waits for its turn behind the others.
    const cancels: Promise<CancelResult>[] = []
    for (let index = writes.length - 1; index >= 0; index -= 1) {
      const write = writes[index]
      if (write !== undefined) cancels.unshift(ring.cancel(write))
    }
    for (const [index, { outcome }] of (await Promise.all(cancels)).entries()) {
      const found = Buffer.alloc(each)
      readSync(fd, found, { position: index * each })
      if (outcome === 'cancelled') cancelled += 1
      else written += 1
      t.true(found.equals(outcome === 'cancelled' ? Buffer.alloc(each) : bytes), `write ${index}: ${outcome}`)
    }
    const sync = ring.fsync(fd)
    const handled = sync.catch(() => {})
    t.true(['completed', 'cancelled'].includes((await ring.cancel(sync)).outcome))
    await handled
  }
  row(t, 'write, file, async behind others', { cancelled, written })
  t.true(cancelled > 0 && written > 0)
})

test('the open of a FIFO without a peer ends by its cancel, and leaves no descriptor', async (t) => {
  const ring = ringFor(t)
  const fifo = join(directoryFor(t), 'fifo')
  execFileSync('mkfifo', [fifo])
  for (const flags of [constants.O_RDONLY, constants.O_WRONLY]) {
    for (const async of [false, true]) {
      await endsByCancel(t, ring, `open, FIFO (flags ${flags}, async: ${async})`, () =>
        ring.open(fifo, flags, 0, { async }),
      )
    }
  }
  t.false(openDescriptors().includes(fifo))
  // Without O_NONBLOCK a reader waits for a writer, and gets what that writes instead of an end of file.
  const [reader, writer] = await Promise.all([ring.open(fifo, 'r'), ring.open(fifo, 'w')])
  const [{ bytesRead }] = await Promise.all([ring.read(reader, { length: 5 }), ring.write(writer, 'hello')])
  t.is(bytesRead, 5)
  closeAfter(t, reader, writer)
  const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
  const lonely = join(directoryFor(t), 'lonely')
  execFileSync('mkfifo', [lonely])
  t.is(await fate(ring.open(lonely, O_WRONLY | O_NONBLOCK)), 'ENXIO')
  closeAfter(t, await ring.open(lonely, O_RDONLY | O_NONBLOCK))
})

test('a number that is closed and used again: asynchronous, queued and parked operations keep their file', async (t) => {
  const ring = ringFor(t)
  const directory = directoryFor(t)
  const [right, wrong] = [join(directory, 'right'), join(directory, 'wrong')]
  writeFileSync(right, 'a'.repeat(4096))
  writeFileSync(wrong, 'b'.repeat(4096))
  const expected = 'a'.repeat(8)
  /** Opens the right file, starts operations, and lets its number mean the wrong one. */
  const reuse = async (start: (fd: number) => Promise<{ buffer: Buffer }>[], isLate: boolean) => {
    const fd = openSync(right, 'r')
    const reads = start(fd)
    // The kernel has what does not wait, once anything has come back.
    if (isLate) await ring.nop()
    closeSync(fd)
    t.is(openSync(wrong, 'r'), fd, 'the number means another file now')
    return { fd, reads }
  }
  for (let round = 0; round < 300; round += 1) {
    const { fd, reads } = await reuse(
      (number) => Array.from({ length: 4 }, () => ring.read(number, { length: 8, position: 0, async: true })),
      round % 2 === 0,
    )
    const results = await Promise.all(reads)
    t.true(
      results.every(({ buffer }) => buffer.toString() === expected),
      `round ${round}, async`,
    )
    closeSync(fd)
  }
  const small = ringFor(t, { entries: 8, completionEntries: 8 })
  const event = eventfd()
  closeAfter(t, event)
  for (let round = 0; round < 50; round += 1) {
    const hung = Array.from({ length: 4 }, () => small.read(event, { length: 8, onCancel: 'resolve' }))
    const async = round % 2 === 0
    const { fd, reads } = await reuse(
      (number) => [
        small.read(number, { length: 8, position: 0, async }),
        small
          .readv(number, [Buffer.alloc(8)], 0, { async })
          .then(({ buffers }) => ({ buffer: Buffer.concat(buffers) })),
      ],
      false,
    )
    t.is(await small.cancelFd(event), 4)
    await Promise.all(hung)
    const results = await Promise.all(reads)
    t.true(
      results.every(({ buffer }) => buffer.toString() === expected),
      `round ${round}, queued`,
    )
    closeSync(fd)
  }
  for (let round = 0; round < 50; round += 1) {
    const fd = openSync(right, 'r')
    const first = ring.read(fd, { length: 8, async: true })
    const parked = Array.from({ length: 32 }, () => ring.read(fd, { length: 8 }))
    closeSync(fd)
    t.is(openSync(wrong, 'r'), fd)
    const other = ring.read(fd, { length: 8, position: 0 })
    const results = await Promise.all([first, ...parked])
    t.true(
      results.every(({ buffer }) => buffer.toString() === expected),
      `round ${round}, parked`,
    )
    t.is((await other).buffer.toString(), 'b'.repeat(8), 'what is asked for now means the other file')
    closeSync(fd)
  }
})

test('what destroy gave up is written to by the kernel, and used by nobody else', async (t) => {
  if (lacksDisk(t)) return
  const content = pattern(LARGE)
  const fd = directFile(t, content)
  let late = 0
  let rounds = 0
  while (late === 0 && rounds < ATTEMPTS) {
    rounds += 1
    const ring = new Ring({ drainTimeout: 0 })
    const buffer = ring.alloc(LARGE)
    const reading = fate(ring.read(fd, buffer, { position: 0 }))
    await ring.nop()
    await ring.destroy()
    const end = await reading
    if (end !== 'ERR_OPERATION_STUCK') continue
    late += 1
    const other = ringFor(t)
    const successors = Array.from({ length: 3 }, () => other.alloc(LARGE).fill(0xaa))
    while (!buffer.subarray(-8).equals(content.subarray(-8)) || !buffer.equals(content)) await delay(1)
    const untouched = Buffer.alloc(LARGE, 0xaa)
    t.true(successors.every((bytes) => bytes.equals(untouched)))
  }
  row(t, 'destroy, O_DIRECT read, plain', { late, rounds })
  t.true(late > 0, 'the device was always done: the test proved nothing')
})

/** A program with a read that was reported. Before a worker of the kernel has it, it is cancelled as any other: again, then. */
const STUCK = `
  import { openSync } from 'node:fs'
  import { Ring } from 'uring-safe-cancel'
  const ring = new Ring({ cancel: { stuckAfter: 50 }, drainTimeout: 50 })
  const report = new Promise((resolve) => ring.once('stuck', resolve))
  const fd = openSync(process.env.SILENT, 'r')
  for (let timeout = 20, stuck; stuck === undefined; timeout += 20) {
    const reading = ring.read(fd, { length: 4096, position: 0, async: true, timeout })
    stuck = await Promise.race([report, reading.catch(() => undefined)])
    if (stuck !== undefined) console.log(stuck.operation, stuck.lastAnswer)
  }
`

test('a process ends, however it ends, with a read that its server never answers, which was reported', async (t) => {
  const { path, read } = await silentFile(t)
  const ends: Record<string, [code: string, status: number | null, signal: NodeJS.Signals | null]> = {
    'process.exit': ['process.exit(3)', 3, null],
    'an uncaught exception': [`setImmediate(() => { throw new Error('uncaught') })`, 1, null],
    'nothing left, by unref': ['ring.unref()', 0, null],
    'nothing left, by destroy': ['await ring.destroy()', 0, null],
    SIGTERM: [`process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)`, null, 'SIGTERM'],
  }
  for (const [name, [code, status, signal]] of Object.entries(ends)) {
    const ended = await runProgram(`${STUCK} ${code}`, { env: { SILENT: path } })
    row(t, `process with a read of a silent server, ${name}`, { status: ended.status, signal: ended.signal })
    t.is(ended.output, 'read -114\n', `${name}: ${ended.errors}`)
    t.is(ended.status, status, `${name}: ${ended.errors}`)
    t.is(ended.signal, signal, name)
  }
  await read()
})

/**
 * Of a thread this cannot be had: Linux lets it end only when the kernel's workers of its rings have, and Node's main
 * thread waits for it (a kernel that did better would be welcome). This pins what docs/contract.md warns of.
 */
test('a worker with such a read ends when its server does', async (t) => {
  const { path, end } = await silentFile(t)
  const code = `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    const worker = new Worker(process.env.BODY, { eval: true, execArgv: ['--input-type=module'] })
    await once(worker, 'message')
    console.log('terminating')
    await worker.terminate()
    console.log('terminated')`
  let isEnded = false
  const wasEnded: boolean[] = []
  const program = runProgram(code, {
    env: {
      SILENT: path,
      BODY: `import { parentPort } from 'node:worker_threads'; ${STUCK}; parentPort.postMessage('stuck')`,
    },
    onLine: ({ stdout }) => {
      stdout?.on('data', (chunk: Buffer) => {
        if (String(chunk).includes('terminated')) wasEnded.push(isEnded)
      })
      // A slow machine ends it before the worker was asked to: then the order is seen all the same.
      setTimeout(() => {
        isEnded = true
        void end()
      }, 300)
    },
  })
  const { status, errors } = await program
  row(t, 'worker with a read of a silent server', { ended: wasEnded })
  t.is(status, 0, errors)
  t.is(wasEnded.length, 1, 'it ends')
})

test('what is left of a file behind a cancelled read is there for the next', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  let [cancelled, completed] = [0, 0]
  for (let round = 0; round < 2000; round += 1) {
    const reading = ring.read(readFd, { length: 1, async: round % 2 === 0 })
    const settled = reading.then(
      ({ buffer }) => buffer.toString(),
      () => undefined,
    )
    // Which comes first is open, but for a plain one in ten: on 6.8 the byte has won every such race.
    const early = round % 10 === 9 ? ring.cancel(reading) : undefined
    if (round % 3 === 0 || early !== undefined) await ring.nop()
    writeSync(writeFd, 'x')
    const { outcome } = await (early ?? ring.cancel(reading))
    if (early !== undefined) t.is(outcome, 'cancelled')
    const text = await settled
    t.is(text, outcome === 'completed' ? 'x' : undefined)
    if (outcome === 'completed') completed += 1
    else {
      cancelled += 1
      t.is((await ring.read(readFd, { length: 1 })).buffer.toString(), 'x')
    }
  }
  row(t, 'read, pipe that is written to meanwhile', { cancelled, completed })
  t.true(cancelled > 0 && completed > 0, 'both must have happened')
})

/** Zero bytes, and a position that a file does not have: both are told at once, as the system calls tell them. */
import { execFileSync, spawn } from 'node:child_process'
import { constants, openSync, readSync, readvSync, writeSync, writevSync } from 'node:fs'
import { join } from 'node:path'

import test, { type ExecutionContext } from 'ava'
import { eventfd, pipe, type Ring } from 'uring-safe-cancel'

import { closeAfter, directoryFor, eventBytes, fate, ringFor } from '../helpers.js'
import { masterFor, slaveFor } from './terminal.js'

const { O_NONBLOCK, O_RDWR } = constants

/** What waits is ended after so many milliseconds, and the test sees how. */
const TIMEOUT = 1000

/** Fills what can be filled, through a descriptor of its own that does not wait. */
function fill(path: string): void {
  const fd = openSync(path, O_RDWR | O_NONBLOCK)
  const bytes = Buffer.alloc(4096)
  try {
    while (writeSync(fd, bytes) > 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
  } finally {
    closeAfterwards.push(fd)
  }
}

const closeAfterwards: number[] = []

function fifoFor(t: ExecutionContext): { fd: number; path: string } {
  const path = join(directoryFor(t), 'fifo')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, 'r+')
  closeAfter(t, fd)
  return { fd, path }
}

/** A descriptor of one end of a socket that is connected to a process which says nothing. */
function socketFor(t: ExecutionContext): number {
  const child = spawn('sleep', ['1000'], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => child.kill())
  const { _handle: handle } = child.stdout as unknown as { _handle: { fd: number } }
  return handle.fd
}

const EMPTY: Record<string, (t: ExecutionContext) => Promise<number> | number> = {
  'a FIFO without bytes': (t) => fifoFor(t).fd,
  'a full FIFO': (t) => {
    const { fd, path } = fifoFor(t)
    fill(path)
    return fd
  },
  'a pipe without bytes': (t) => {
    const { readFd, writeFd } = pipe()
    closeAfter(t, readFd, writeFd)
    return readFd
  },
  'a terminal': async (t) => (await slaveFor(t)).fd,
  'a raw terminal': async (t) => (await slaveFor(t, { raw: true })).fd,
  'a raw terminal that is full': async (t) => {
    const { fd, path } = await slaveFor(t, { raw: true })
    fill(path)
    return fd
  },
  "a terminal's master": async (t) => (await masterFor(t)).fd,
  'a socket without bytes': socketFor,
  'an eventfd at zero': (t) => {
    const fd = eventfd()
    closeAfter(t, fd)
    return fd
  },
  'a regular file': (t) => {
    const fd = openSync(join(directoryFor(t), 'file'), 'w+')
    closeAfter(t, fd)
    return fd
  },
  '/dev/null': (t) => opened(t, '/dev/null'),
  '/dev/zero': (t) => opened(t, '/dev/zero'),
}

function opened(t: ExecutionContext, path: string): number {
  const fd = openSync(path, 'r+')
  closeAfter(t, fd)
  return fd
}

test.after.always(async () => {
  const { closeSync } = await import('node:fs')
  for (const fd of closeAfterwards) closeSync(fd)
})

/** What a call says, by its count or its code. */
function told(call: () => number): string {
  try {
    return String(call())
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

async function toldBy(promise: Promise<number>): Promise<string> {
  let count = -1
  const how = await fate(promise.then((result) => (count = result)))
  return how === 'resolved' ? String(count) : how
}

const NOTHING = Buffer.alloc(0)
const SOMETHING = Buffer.alloc(8)
const options = { timeout: TIMEOUT }

/** The operations of no bytes, on a ring and with the system call that waits for none either. */
const OPERATIONS: Record<
  string,
  { ring: (ring: Ring, fd: number) => Promise<number>; call: (fd: number) => number }
> = {
  'read of an empty buffer': {
    ring: async (ring, fd) => (await ring.read(fd, NOTHING, options)).bytesRead,
    call: (fd) => readSync(fd, NOTHING, 0, 0, null),
  },
  'read of length 0': {
    ring: async (ring, fd) => (await ring.read(fd, SOMETHING, 0, 0, null, options)).bytesRead,
    call: (fd) => readSync(fd, SOMETHING, 0, 0, null),
  },
  'readv of empty buffers': {
    ring: async (ring, fd) => (await ring.readv(fd, [NOTHING, NOTHING], null, options)).bytesRead,
    call: (fd) => readvSync(fd, [NOTHING, NOTHING]),
  },
  'write of an empty string': {
    ring: async (ring, fd) => (await ring.write(fd, '', options)).bytesWritten,
    call: (fd) => writeSync(fd, ''),
  },
  'write of an empty buffer': {
    ring: async (ring, fd) => (await ring.write(fd, NOTHING, options)).bytesWritten,
    call: (fd) => writeSync(fd, NOTHING),
  },
  'writev of empty buffers': {
    ring: async (ring, fd) => (await ring.writev(fd, [NOTHING, NOTHING], null, options)).bytesWritten,
    call: (fd) => writevSync(fd, [NOTHING, NOTHING]),
  },
}

for (const [kind, make] of Object.entries(EMPTY)) {
  test(`zero bytes, ${kind}: the ring says what read(2) and write(2) say, and waits for nothing`, async (t) => {
    const ring = ringFor(t)
    const fd = await make(t)
    for (const [name, { ring: submit, call }] of Object.entries(OPERATIONS)) {
      const right = NOT_CALLED[`${kind}: ${name}`] ?? told(() => call(fd))
      t.is(await toldBy(submit(ring, fd)), right, name)
    }
  })
}

/** What read(2) says where node:fs does not call it: it takes a length of 0 for read. */
const NOT_CALLED: Record<string, string> = {
  'an eventfd at zero: read of an empty buffer': 'EINVAL',
  'an eventfd at zero: read of length 0': 'EINVAL',
}

test('a length prefix of zero and its empty payload go over a FIFO', async (t) => {
  const ring = ringFor(t)
  const { fd } = fifoFor(t)
  for (const payload of ['', 'abc', '', '']) {
    const prefix = Buffer.from([payload.length])
    await ring.write(fd, prefix)
    t.is((await ring.write(fd, payload, options)).bytesWritten, payload.length)
    const { buffer } = await ring.read(fd, { length: 1 })
    const length = buffer.readUInt8(0)
    t.is((await ring.read(fd, Buffer.alloc(length), options)).bytesRead, length)
  }
})

/** The same at position 0. Bytes are there, so that the calls of node:fs wait nowhere. */
const AT_ZERO: Record<
  string,
  { ring: (ring: Ring, fd: number) => Promise<number>; call: (fd: number) => number }
> = {
  read: {
    ring: async (ring, fd) => (await ring.read(fd, { length: 8, position: 0, ...options })).bytesRead,
    call: (fd) => readSync(fd, Buffer.alloc(8), 0, 8, 0),
  },
  readv: {
    ring: async (ring, fd) => (await ring.readv(fd, [Buffer.alloc(8)], 0, options)).bytesRead,
    call: (fd) => readvSync(fd, [Buffer.alloc(8)], 0),
  },
  write: {
    ring: async (ring, fd) =>
      (await ring.write(fd, eventBytes(1n), { position: 0, ...options })).bytesWritten,
    call: (fd) => writeSync(fd, eventBytes(1n), 0, 8, 0),
  },
  writev: {
    ring: async (ring, fd) => (await ring.writev(fd, [eventBytes(1n)], 0, options)).bytesWritten,
    call: (fd) => writevSync(fd, [eventBytes(1n)], 0),
  },
}

const WITHOUT_POSITION: Record<string, (t: ExecutionContext) => Promise<number> | number> = {
  'a FIFO': (t) => {
    const { fd } = fifoFor(t)
    writeSync(fd, 'abcdefgh')
    return fd
  },
  'a terminal': async (t) => {
    const { fd, other } = await slaveFor(t, { raw: true })
    await other.write('abcdefgh')
    return fd
  },
  "a terminal's master": async (t) => {
    const { fd, other } = await masterFor(t, { raw: true })
    await other.write('abcdefgh')
    return fd
  },
  'a socket': socketFor,
  'an eventfd': (t) => {
    const fd = eventfd(5)
    closeAfter(t, fd)
    return fd
  },
  '/dev/null': (t) => opened(t, '/dev/null'),
  '/dev/zero': (t) => opened(t, '/dev/zero'),
}

for (const [kind, make] of Object.entries(WITHOUT_POSITION)) {
  test(`a position, ${kind}: the ring says what pread(2) and pwrite(2) say`, async (t) => {
    const ring = ringFor(t)
    const fd = await make(t)
    for (const [name, { ring: submit, call }] of Object.entries(AT_ZERO)) {
      const right = told(() => call(fd))
      t.log(`${name}: ${right}`)
      t.is(await toldBy(submit(ring, fd)), right, name)
    }
  })
}

/**
 * The flags of an open file belong to everybody who has it: a shell's terminal that suddenly has O_NONBLOCK breaks the shell.
 * They are watched all the time, from a process that shares the file and from this one.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import test, { type ExecutionContext } from 'ava'
import { eventfd, pipe, type Ring } from 'uring-safe-cancel'

import { closeAfter, directoryFor, eventBytes, fate, ringFor } from '../helpers.js'
import { lateFile, sandboxProgram } from '../silent-fuse.js'
import { ext4For } from './mounts.js'
import { masterFor, slaveFor } from './terminal.js'

const { O_APPEND, O_DIRECT, O_NONBLOCK, O_RDWR } = constants

/** How often each kind is read from, written to and cancelled. */
const ROUNDS = 100

/** As this process sees them. */
function flagsOf(fd: number): string {
  return /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? 'none'
}

/** Everything that a ring does with a descriptor, so that the kernel waits, or is told to stop. */
async function use(ring: Ring, fd: number, feed: () => void): Promise<void> {
  const bytes = eventBytes(1n)
  const waits = [1, 2, 3, 4].flatMap(() => [
    ring.read(fd, { length: 8, timeout: 2 }),
    ring.read(fd, { length: 8, async: true, timeout: 2 }),
    ring.readv(fd, [Buffer.alloc(8)], null, { timeout: 2 }),
    ring.poll(fd, 1, { timeout: 2 }),
    ring.write(fd, bytes, { timeout: 2 }),
    ring.writev(fd, [bytes], null, { timeout: 2 }),
    ring.write(fd, '', { timeout: 2 }),
    ring.read(fd, { length: 8, position: 0, timeout: 2 }),
  ])
  const cancelled = ring.read(fd, { length: 8 })
  const fates = [...waits, cancelled].map(fate)
  await ring.nop()
  feed()
  void ring.cancel(cancelled)
  await Promise.all(fates)
  await ring.cancelFd(fd)
}

const KINDS: Record<
  string,
  (t: ExecutionContext) => Promise<[number, (() => void)?]> | [number, (() => void)?]
> = {
  "a terminal's slave": async (t) => [(await slaveFor(t, { raw: true })).fd],
  "a terminal's slave with O_NONBLOCK": async (t) => [
    (await slaveFor(t, { raw: true, flags: O_NONBLOCK })).fd,
  ],
  "a terminal's master": async (t) => [(await masterFor(t, { raw: true })).fd],
  'a pipe': (t) => {
    const { readFd, writeFd } = pipe()
    closeAfter(t, readFd, writeFd)
    return [readFd, () => void writeSync(writeFd, 'x')]
  },
  'a FIFO': (t) => {
    const path = join(directoryFor(t), 'fifo')
    execFileSync('mkfifo', [path])
    return [opened(t, path, O_RDWR)]
  },
  'an eventfd': (t) => {
    const fd = eventfd()
    closeAfter(t, fd)
    return [fd]
  },
  'a file with O_APPEND': (t) => {
    const path = join(directoryFor(t), 'file')
    writeFileSync(path, 'content')
    return [opened(t, path, O_RDWR | O_APPEND)]
  },
  'a file with O_DIRECT': (t) => {
    const path = join(ext4For(t, 8 << 20), 'file')
    writeFileSync(path, Buffer.alloc(4096))
    return [opened(t, path, O_RDWR | O_DIRECT)]
  },
  'a file of a server': async (t) => [opened(t, (await lateFile(t, 1, 'read,write,poll')).path, O_RDWR)],
}

function opened(t: ExecutionContext, path: string, flags: number): number {
  const fd = openSync(path, flags)
  closeAfter(t, fd)
  return fd
}

for (const [kind, make] of Object.entries(KINDS)) {
  test(`the flags of ${kind} are never changed, for a process that shares it and for this one`, async (t) => {
    const ring = ringFor(t)
    const [fd, feed = () => {}] = await make(t)
    const child = spawn(sandboxProgram('watch-flags'), ['3'], { stdio: ['pipe', 'pipe', 'inherit', fd] })
    const { stdin, stdout } = child
    if (stdin === null || stdout === null) throw new Error('it has no pipes')
    const exit = once(child, 'exit')
    const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
    t.is((await lines.next()).value, 'watching')
    const before = flagsOf(fd)
    const seen = new Set<string>()
    for (let round = 0; round < ROUNDS; round += 1) {
      const using = use(ring, fd, feed)
      seen.add(flagsOf(fd))
      await using
      seen.add(flagsOf(fd))
    }
    stdin.end()
    const [looks, changes] = String((await lines.next()).value)
      .split(' ')
      .map(Number)
    await exit
    t.log(`${looks} looks of the other process in ${ROUNDS} rounds: ${before}`)
    t.true((looks ?? 0) > ROUNDS)
    t.is(changes, 0, 'as the other process saw')
    t.deepEqual([...seen], [before])
  })
}

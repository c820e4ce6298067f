/** Children while O_DIRECT reads are under way: a fork must not take pages away from under the device. */
import { spawn, spawnSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, constants, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import test, { type ExecutionContext } from 'ava'
import { pipe, type Ring } from 'uring-safe-cancel'

import { closeAfter, directoryFor, ringFor } from '../helpers.js'

const SPAWNS = 1000
/** How many reads are under way at once. */
const WIDTH = 8
const BLOCK_BYTES = 256 << 10
const BLOCKS = 32
/** Spawning goes on until so many reads were under way beside it. */
const LEAST_READS = 32

/** Reads a file by O_DIRECT without end, into memory of every kind, and checks each byte. */
class DirectReads {
  count = 0
  #isOver = false
  readonly #fd: number
  readonly #content = randomFillSync(Buffer.alloc(BLOCKS * BLOCK_BYTES))
  readonly #done: Promise<unknown>

  constructor(t: ExecutionContext, ring: Ring) {
    const path = join(directoryFor(t), 'file')
    writeFileSync(path, this.#content)
    this.#fd = openSync(path, constants.O_RDONLY | constants.O_DIRECT)
    closeAfter(t, this.#fd)
    this.#done = Promise.all(Array.from({ length: WIDTH }, (_, index) => this.#read(t, ring, index)))
  }

  async #read(t: ExecutionContext, ring: Ring, index: number): Promise<void> {
    const core = ring.alloc(BLOCK_BYTES)
    for (let round = index; !this.#isOver && !ring.closed; round += WIDTH) {
      const position = (round % BLOCKS) * BLOCK_BYTES
      const options = { position, length: BLOCK_BYTES, async: round % 3 === 0 }
      const reading =
        index % 3 === 0
          ? ring.read(this.#fd, core.fill(0), options)
          : index % 3 === 1
            ? ring.read(this.#fd, Buffer.alloc(BLOCK_BYTES), options)
            : ring.read(this.#fd, options)
      const { bytesRead, buffer } = await reading
      const isRight = buffer.compare(this.#content, position, position + BLOCK_BYTES) === 0
      if (bytesRead !== BLOCK_BYTES || !isRight)
        t.fail(`${bytesRead} bytes at ${position} are not the file's`)
      this.count += 1
    }
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }
}

test('a thousand spawns beside O_DIRECT reads: every byte is right', async (t) => {
  t.timeout(600_000, 'a thousand processes')
  const ring = ringFor(t)
  const reads = new DirectReads(t, ring)
  let started = 0
  const some = async () => {
    while (started < SPAWNS || reads.count < LEAST_READS) {
      started += 1
      // Both ways of Node, which differ in what they do between fork and exec.
      if (started % 10 === 0) {
        t.is(spawnSync('/bin/true').status, 0)
      } else {
        const child = spawn('/bin/true', { stdio: 'ignore' })
        t.is((await once(child, 'exit'))[0], 0)
      }
      // Ends of children that follow one another keep libuv from everything else.
      await delay(1)
    }
  }
  await Promise.all([some(), some(), some()])
  await reads.end()
  t.log(`${reads.count} reads of ${BLOCK_BYTES >> 10} KiB were checked beside ${started} spawns`)
  t.true(reads.count >= LEAST_READS)
})

/** What the descriptors of a new child stand for. */
function descriptorsOfChild(): string[] {
  const script = 'for fd in /proc/self/fd/*; do readlink "$fd"; done'
  const { stdout } = spawnSync('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'pipe'] })
  return String(stdout).replaceAll(/\d+/g, 'N').trim().split('\n')
}

test('a child has no descriptor of a ring, nor any other of ours, but for those it is given', async (t) => {
  const before = descriptorsOfChild()
  t.true(before.length >= 3)
  const ring = ringFor(t)
  const reads = new DirectReads(t, ring)
  const { readFd, writeFd } = pipe()
  const opened = await ring.open('/dev/null')
  closeAfter(t, writeFd, opened)
  const inFlight = ring.read(readFd, { length: 64, async: true })
  for (let round = 0; round < 20; round += 1) {
    t.deepEqual(descriptorsOfChild(), before, 'in the order of their numbers')
    await ring.nop()
  }
  await reads.end()
  // A child may be given the descriptor of a read in flight: both have the file then.
  const heir = spawn('sh', ['-c', 'printf from-the-child >&3'], {
    stdio: ['ignore', 'ignore', 'inherit', writeFd],
  })
  t.is((await once(heir, 'exit'))[0], 0)
  const { buffer, bytesRead } = await inFlight
  t.is(buffer.toString('utf8', 0, bytesRead), 'from-the-child')
  const reader = spawn('cat', { stdio: [readFd, 'pipe', 'inherit'] })
  const cancelled = ring.read(readFd, { length: 64, onCancel: 'resolve' })
  await ring.cancel(cancelled)
  closeSync(readFd)
  await ring.write(writeFd, 'for the child')
  const chunk: unknown = reader.stdout === null ? '' : (await once(reader.stdout, 'data'))[0]
  t.is(String(chunk), 'for the child', 'a cancelled read takes nothing from who shares the pipe')
  reader.kill()
  await once(reader, 'exit')
})

/**
 * What a thousand operations wait on, and never get: shared by all the workers or processes that fly over it, so that
 * a read or a write that outlived its process would be noticed here.
 */
import { execFileSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { closeSync, constants, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'

import type { ExecutionContext } from 'ava'
import { eventfd, pipe, type Ring } from 'uring-safe-cancel'

import { directoryFor, eventBytes } from '../helpers.js'

/** The blocks of the file that is read with O_DIRECT. */
const BLOCKS = 64
const BLOCK_BYTES = 64 << 10

/** What a flight is told: numbers in its own process. */
interface GroundNumbers {
  /** Reads of these wait. */
  reads: number[]
  /** Writes to this one do. */
  full: number
  /** Opens of this FIFO do. */
  lonely: string
  /** A file, open with O_DIRECT. */
  direct: number
  directBlocks: number
}

export class Ground {
  readonly numbers: GroundNumbers
  /** The content of the file. */
  readonly content: Buffer
  readonly #pipes: { readFd: number; writeFd: number }[]
  readonly #eventfds: number[]
  readonly #full: { readFd: number; writeFd: number }
  readonly #filled: number

  private constructor(directory: string, socket: number) {
    for (const name of ['lonely', 'rw']) execFileSync('mkfifo', [join(directory, name)])
    this.content = randomFillSync(Buffer.alloc(BLOCKS * BLOCK_BYTES))
    const file = join(directory, 'file')
    writeFileSync(file, this.content)
    this.#pipes = Array.from({ length: 4 }, () => pipe())
    this.#eventfds = Array.from({ length: 4 }, () => eventfd())
    this.#full = pipe({ nonblocking: true })
    this.#filled = fill(this.#full.writeFd)
    const terminal = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY)
    const fifo = openSync(join(directory, 'rw'), constants.O_RDWR)
    this.numbers = {
      reads: [...this.#pipes.map(({ readFd }) => readFd), ...this.#eventfds, fifo, terminal, socket],
      full: this.#full.writeFd,
      lonely: join(directory, 'lonely'),
      direct: openSync(file, constants.O_RDONLY | constants.O_DIRECT),
      directBlocks: BLOCKS,
    }
  }

  /** One that goes with the test. */
  static async make(t: ExecutionContext): Promise<Ground> {
    const { fd, close } = await silentSocket()
    const ground = new Ground(directoryFor(t), fd)
    t.teardown(() => {
      close()
      const { reads, full, direct } = ground.numbers
      const own = [...reads.filter((number) => number !== fd), full, direct, ground.#full.readFd]
      for (const number of [...own, ...ground.#pipes.map(({ writeFd }) => writeFd)]) closeSync(number)
    })
    return ground
  }

  /** The descriptors to hand down to a child behind its first three, and their numbers there. */
  handDown(): { descriptors: number[]; numbers: GroundNumbers } {
    const { reads, full, direct } = this.numbers
    const descriptors = [...reads, full, direct]
    const at = (number: number) => 3 + descriptors.indexOf(number)
    return {
      descriptors,
      numbers: { ...this.numbers, reads: reads.map(at), full: at(full), direct: at(direct) },
    }
  }

  /** Checks that nobody who is gone still reads or writes here. */
  async check(t: ExecutionContext, ring: Ring): Promise<void> {
    for (const { readFd, writeFd } of this.#pipes) {
      writeSync(writeFd, 'probe')
      const { buffer, bytesRead } = await ring.read(readFd, { length: 64 })
      t.is(buffer.toString('utf8', 0, bytesRead), 'probe', 'a read of the dead took bytes')
    }
    for (const fd of this.#eventfds) {
      writeSync(fd, eventBytes(3n))
      t.is((await ring.read(fd, { length: 8 })).buffer.readBigUInt64LE(), 3n)
    }
    let bytes = 0
    const page = Buffer.alloc(4096)
    while (bytes < this.#filled) bytes += readSync(this.#full.readFd, page)
    t.throws(() => readSync(this.#full.readFd, page), { code: 'EAGAIN' }, 'a write of the dead came')
    fill(this.#full.writeFd)
  }
}

/** Fills a pipe, and says with how much. */
function fill(writeFd: number): number {
  for (let bytes = 0; ;) {
    try {
      bytes += writeSync(writeFd, Buffer.alloc(4096))
    } catch {
      return bytes
    }
  }
}

/** A connection over which nothing is ever sent. */
async function silentSocket(): Promise<{ fd: number; close: () => void }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const client = connect({ port: typeof address === 'object' ? (address?.port ?? 0) : 0, host: '127.0.0.1' })
  const [accepted]: Socket[] = await once(server, 'connection')
  const handle: unknown = accepted === undefined ? undefined : Reflect.get(accepted, '_handle')
  return {
    fd: typeof handle === 'object' && handle !== null ? Number(Reflect.get(handle, 'fd')) : -1,
    close: () => {
      client.destroy()
      accepted?.destroy()
      server.close()
    },
  }
}

/** Reads of a file of numbered blocks: at random, or one after the other. */
import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  openSync,
  read as readCallback,
  readSync,
} from 'node:fs'
import { open } from 'node:fs/promises'

import { BLOCK } from '../files.js'
import { loadLibrary, makeRing, type Ring } from '../library.js'
import type { Settings } from '../protocol.js'
import {
  type Callback,
  callbackLanes,
  expect,
  type Program,
  promiseLanes,
  syncLoop,
  timed,
} from './program.js'
import { Random, SEED } from './random.js'

/** The content of one read in so many is looked at, the count of each. */
const CHECK_EACH = 16

/** Which piece of the file a lane reads next, and whether it got that. */
export class Pieces {
  readonly length: number
  readonly #count: number
  readonly #random: Random | undefined
  readonly #wanted: number[] = []
  #next = 0
  #checked = 0

  constructor(bytes: number, { length = BLOCK, sequential }: Settings, seed: number) {
    this.length = length
    this.#count = Math.floor(bytes / length)
    this.#random = sequential === true ? undefined : new Random(seed)
  }

  get count(): number {
    return this.#count
  }

  /** The position of a lane's next read. */
  position(lane: number): number {
    const piece = this.#random === undefined ? this.#successor() : this.#random.below(this.#count)
    this.#wanted[lane] = piece
    return piece * this.length
  }

  #successor(): number {
    const piece = this.#next
    this.#next = piece + 1 === this.#count ? 0 : piece + 1
    return piece
  }

  /** Throws unless the lane's read was whole, and (each so often) of the piece that was asked for. */
  check(lane: number, bytesRead: number, buffer: Buffer | undefined): void {
    if (bytesRead !== this.length) expect('bytes read', bytesRead, this.length)
    this.#checked += 1
    if (this.#checked % CHECK_EACH !== 0) return
    const block = ((this.#wanted[lane] ?? 0) * this.length) / BLOCK
    expect('the block that was read', buffer?.readUInt32LE(0), block)
  }
}

type Buffers = Buffer[]

function buffersOf(make: () => Buffer): { buffers: Buffers; prepare: (concurrency: number) => void } {
  const buffers: Buffers = []
  const prepare = (concurrency: number) => {
    while (buffers.length < concurrency) buffers.push(make())
  }
  return { buffers, prepare }
}

export async function read(settings: Settings, seed = SEED): Promise<Program> {
  const { path = '', api = 'ring', memory = 'own', direct } = settings
  const flags = constants.O_RDONLY | (direct === true ? constants.O_DIRECT : 0)
  if (api === 'handle') return handleReads(settings, await open(path, flags), seed)
  const fd = openSync(path, flags)
  const pieces = new Pieces(fstatSync(fd).size, settings, seed)
  if (api === 'stream') {
    closeSync(fd)
    return { run: streams(path, pieces) }
  }
  if (api === 'ring' && memory === 'none') return bufferlessReads(settings, fd, pieces)
  const { buffers, prepare } = buffersOf(await bufferMaker(settings, pieces.length))
  const none = Buffer.alloc(0)
  const check = (lane: number, bytesRead: number) => pieces.check(lane, bytesRead, buffers[lane])
  if (api === 'callback') {
    const begin = (lane: number, callback: Callback<number>) => {
      const buffer = buffers[lane] ?? none
      readCallback(fd, buffer, 0, pieces.length, pieces.position(lane), callback)
    }
    return { prepare, run: callbackLanes(begin, check) }
  }
  if (api === 'sync') {
    const operation = (lane: number) =>
      readSync(fd, buffers[lane] ?? none, 0, pieces.length, pieces.position(lane))
    return { prepare, run: syncLoop(operation, check) }
  }
  const ring = await ringOf(settings)
  const operation =
    settings.async === true
      ? (lane: number) =>
          ring.read(fd, buffers[lane] ?? none, { position: pieces.position(lane), async: true })
      : (lane: number) => ring.read(fd, buffers[lane] ?? none, 0, pieces.length, pieces.position(lane))
  return {
    prepare,
    run: promiseLanes(operation, (lane, result) => check(lane, result.bytesRead)),
  }
}

let shared: Ring | undefined

/** The process's one ring: its core memory is read into only by itself. */
async function ringOf(settings: Settings): Promise<Ring> {
  shared ??= makeRing(await loadLibrary(settings), settings)
  return shared
}

/** Direct I/O wants addresses at a block's boundary, which of all Buffers only those of `ring.alloc` promise. */
async function bufferMaker(settings: Settings, length: number): Promise<() => Buffer> {
  const { api, memory, direct } = settings
  if (memory !== 'core' && !(direct === true && api !== 'ring')) return () => Buffer.alloc(length)
  const ring = await ringOf(settings)
  return () => ring.alloc(length)
}

async function bufferlessReads(settings: Settings, fd: number, pieces: Pieces): Promise<Program> {
  const ring = await ringOf(settings)
  const { length } = pieces
  return {
    run: promiseLanes(
      (lane) => ring.read(fd, { length, position: pieces.position(lane) }),
      (lane, { bytesRead, buffer }) => pieces.check(lane, bytesRead, buffer),
    ),
  }
}

async function handleReads(
  settings: Settings,
  handle: Awaited<ReturnType<typeof open>>,
  seed: number,
): Promise<Program> {
  const pieces = new Pieces((await handle.stat()).size, settings, seed)
  const { buffers, prepare } = buffersOf(await bufferMaker(settings, pieces.length))
  const none = Buffer.alloc(0)
  return {
    prepare,
    run: promiseLanes(
      (lane) => handle.read(buffers[lane] ?? none, 0, pieces.length, pieces.position(lane)),
      (lane, { bytesRead }) => pieces.check(lane, bytesRead, buffers[lane]),
    ),
  }
}

/** The whole file, as often as the slice has operations for. A chunk is an operation. */
function streams(path: string, pieces: Pieces): Program['run'] {
  return (_concurrency, operations, recorder) =>
    timed(async () => {
      for (let left = operations; left > 0; left -= pieces.count) {
        const stream = createReadStream(path, { highWaterMark: pieces.length })
        recorder?.began(0)
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          recorder?.done(0)
          pieces.position(0)
          pieces.check(0, chunk.length, chunk)
          recorder?.began(0)
        }
      }
    })
}

/** The system under test: rings on the real kernel, and the descriptors that they work on. */
import { closeSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { eventfd, pipe, Ring, type RingOptions } from 'uring-safe-cancel'

import { BLOCK, BLOCKS, BlocksModel, FIRST_TAG } from './blocks.js'
import { type Begin, Call, Clock, type RingLife, Violations } from './calls.js'
import { CounterModel } from './counter.js'
import { CursorModel } from './cursor.js'
import { decode, encode, QueueModel, WORD } from './queue.js'

/** The numbers in the file that is read at its position. */
const CURSOR_NUMBERS = 2000

/** What the sequences start from. */
export interface Setup {
  options: RingOptions
  isNonblocking: boolean
  initial: number
}

/** The models of what the world holds: the reference. */
export interface Model {
  pipes: [QueueModel, QueueModel]
  counters: [CounterModel, CounterModel]
  isCounterClosed: [boolean, boolean]
  blocks: BlocksModel
  reader: CursorModel
  writer: CursorModel
  /** How many calls there were. */
  calls: number
  /** How many rings have been replaced. */
  replaced: number
}

/** What a run did. */
export interface Tally {
  calls: number
  cancelled: number
  /** Calls whose cancellation was asked for, and that completed. */
  beaten: number
  /** Numbers that went into pipes, and that came to calls; the others were left in them. */
  written: number
  delivered: number
  reissued: number
}

export class World {
  readonly clock = new Clock()
  readonly violations = new Violations()
  shared = new AbortController()
  readonly pipes: { readFd: number; writeFd: number; observer: number | undefined }[]
  readonly counters: number[]
  readonly blocksFd: number
  readonly readerFd: number
  readonly writerFd: number
  readonly calls: Call[] = []
  /** What takes a call's destination away. */
  readonly transfers = new Map<Call, () => boolean>()
  /** Cancels under way. */
  readonly cancels: Promise<unknown>[] = []
  life: RingLife
  /** Whether the kernel answers EAGAIN to a write that would wait. */
  readonly isNonblocking: boolean
  readonly #lives: RingLife[] = []
  readonly #options: RingOptions
  readonly #paths: string[]

  constructor({ options, isNonblocking, initial }: Setup) {
    this.#options = options
    this.isNonblocking = isNonblocking
    const ends = [pipe({ nonblocking: isNonblocking }), pipe({ nonblocking: isNonblocking })]
    this.pipes = ends.map(({ readFd, writeFd }, index) => ({
      readFd,
      writeFd,
      // A second reading end, by which the first pipe stays whole whoever closes what.
      observer: index === 0 ? openSync(`/proc/self/fd/${readFd}`, 'r') : undefined,
    }))
    this.counters = [
      eventfd(initial, { nonblocking: isNonblocking }),
      eventfd(initial, { nonblocking: isNonblocking, semaphore: true }),
    ]
    this.#paths = ['blocks', 'reader', 'writer'].map((name) =>
      join(tmpdir(), `uring-sequences-${process.pid}-${name}`),
    )
    const [blocks = '', reader = '', writer = ''] = this.#paths
    writeFileSync(blocks, Buffer.alloc(BLOCK * BLOCKS, FIRST_TAG))
    writeFileSync(reader, encode(0, CURSOR_NUMBERS))
    this.blocksFd = openSync(blocks, 'r+')
    this.readerFd = openSync(reader, 'r')
    this.writerFd = openSync(writer, 'w')
    this.life = this.#begin()
  }

  #begin(): RingLife {
    const life = {
      ring: new Ring(this.#options),
      options: this.#options,
      calls: [],
      ending: Promise.resolve(),
    }
    this.#lives.push(life)
    return life
  }

  /** Makes a call on the ring. */
  call(begin: Begin): Call {
    const call = new Call(this.life, this.clock, this.violations, this.shared, begin)
    this.calls.push(call)
    return call
  }

  /** The present ring is asked to cancel what is pending: on a descriptor, or all of it. */
  ask(on?: number, cause?: unknown): void {
    for (const call of this.life.calls) {
      const isMeant = on === undefined || call.on === on
      if (call.fate === 'pending' && isMeant && !call.name.startsWith('close')) call.ask(cause)
    }
  }

  /** Ends the present ring, and goes on with a new one. */
  replace(how: 'close' | 'destroy'): void {
    const { life } = this
    const { ring } = life
    const cause = { how }
    if (how === 'destroy') this.ask(undefined, cause)
    life.ending = how === 'close' ? ring.close() : ring.destroy(cause)
    this.life = this.#begin()
  }

  /** What must hold at any moment. */
  checkNow(): void {
    for (const { ring, calls } of this.#lives) {
      const { submitted, completed, inFlight, queued } = ring.stats()
      const words = `${submitted} submitted, ${completed} completed, ${inFlight} in flight, ${queued} queued`
      this.violations.check(submitted - completed === inFlight + queued, words)
      this.violations.check(submitted <= calls.length, `${words}, of ${calls.length} calls`)
    }
    this.violations.throwIfAny()
  }

  /** Waits for what must end by itself, ends all rings, and waits for the other calls. */
  async end(): Promise<void> {
    await Promise.all(this.calls.filter(({ mustEnd }) => mustEnd).map(({ judged }) => judged))
    for (const { ring, calls } of this.#lives) {
      for (const call of calls) if (call.fate === 'pending') call.ask(undefined)
      await ring.destroy()
    }
    await Promise.all(this.#lives.map(({ ending }) => ending))
    await Promise.all(this.calls.map(({ judged }) => judged))
    await Promise.all(this.cancels)
    this.checkNow()
    for (const { ring, calls } of this.#lives) {
      const { submitted, completed, inFlight, queued, stuck } = ring.stats()
      const taken = calls.filter(({ isRefused }) => !isRefused).length
      const words = `${taken} calls were taken: ${submitted} submitted, ${completed} completed, ${inFlight + queued} left, ${stuck} stuck`
      const isConserved = submitted === taken && completed === taken && inFlight + queued + stuck === 0
      this.violations.check(isConserved, words)
    }
  }

  /** Checks what every call did against the models, when all have ended. */
  verify(model: Model): Tally {
    const { violations } = this
    const sums = model.pipes.map((queue, index) => queue.verify(violations, this.#drain(queue, index)))
    for (const [index, counter] of model.counters.entries()) {
      counter.verify(violations, this.#count(model, index))
    }
    const [blocks = '', , writer = ''] = this.#paths
    const now = this.clock.tick()
    model.blocks.found({ begun: now, ended: now }, 0, readFileSync(blocks))
    model.blocks.verify(violations)
    model.reader.verify(violations, decode(encode(0, CURSOR_NUMBERS)), false)
    model.writer.verify(violations, decode(readFileSync(writer)), true)
    violations.throwIfAny()
    const { calls } = this
    return {
      calls: calls.length,
      cancelled: calls.filter(({ fate }) => fate === 'cancelled').length,
      beaten: calls.filter(({ fate, wasAsked }) => fate === 'completed' && wasAsked).length,
      written: sums.reduce((sum, { written }) => sum + written, 0),
      delivered: sums.reduce((sum, { delivered }) => sum + delivered, 0),
      reissued: this.#lives.reduce((sum, { ring }) => sum + ring.stats().reissues, 0),
    }
  }

  /** What is left in a pipe. Nobody can tell if its only reading end was closed. */
  #drain(queue: QueueModel, index: number): number[] | undefined {
    const ends = this.pipes[index]
    if (ends === undefined) return undefined
    if (queue.writerClosed === Infinity) {
      closeSync(ends.writeFd)
      queue.writerClosed = this.clock.tick()
    }
    const fd = ends.observer ?? (queue.readerClosed === Infinity ? ends.readFd : undefined)
    if (fd === undefined) return undefined
    const chunks: Buffer[] = []
    const chunk = Buffer.alloc(65_536)
    for (let bytes = readSync(fd, chunk); bytes > 0; bytes = readSync(fd, chunk)) {
      chunks.push(Buffer.from(chunk.subarray(0, bytes)))
    }
    const bytes = Buffer.concat(chunks)
    this.violations.check(bytes.length % WORD === 0, 'a number was torn')
    return decode(bytes)
  }

  #count(model: Model, index: number): bigint | undefined {
    if (model.isCounterClosed[index] === true) return undefined
    const [, hex] =
      /^eventfd-count: +([0-9a-f]+)$/m.exec(
        readFileSync(`/proc/self/fdinfo/${this.counters[index] ?? -1}`, 'utf8'),
      ) ?? []
    return BigInt(`0x${hex ?? ''}`)
  }

  /** The calls that have not settled. */
  pending(): string[] {
    return this.calls.filter(({ fate }) => fate === 'pending').map(({ name }) => name)
  }

  /** Lets the process end although something hangs. */
  abandon(): void {
    for (const { ring } of this.#lives) ring.unref()
  }

  /** Closes what is open, whatever happened. */
  async close(model: Model): Promise<void> {
    await Promise.all(this.#lives.map(({ ring }) => ring.destroy()))
    await Promise.all(this.calls.map(({ judged }) => judged))
    for (const [index, { readFd, writeFd, observer }] of this.pipes.entries()) {
      const queue = model.pipes[index]
      if (queue?.readerClosed === Infinity) closeSync(readFd)
      if (queue?.writerClosed === Infinity) closeSync(writeFd)
      if (observer !== undefined) closeSync(observer)
    }
    for (const [index, fd] of this.counters.entries()) {
      if (model.isCounterClosed[index] !== true) closeSync(fd)
    }
    for (const fd of [this.blocksFd, this.readerFd, this.writerFd]) closeSync(fd)
    for (const path of this.#paths) rmSync(path)
  }
}

/** The models of a new world. */
export function modelOf({ initial }: Setup): Model {
  return {
    pipes: [new QueueModel(), new QueueModel()],
    counters: [new CounterModel(initial, false), new CounterModel(initial, true)],
    isCounterClosed: [false, false],
    blocks: new BlocksModel(),
    reader: new CursorModel(),
    writer: new CursorModel(),
    calls: 0,
    replaced: 0,
  }
}

/** The rounds of one thread: two reads, a write that is awaited, and the cancels of both reads. */
import { CANCELLED } from '../../errors.js'
import type { ReadResult } from '../../operations/read.js'
import type { Ring } from '../../ring.js'
import { Histogram } from './histogram.js'
import { type Counts, type Task, Word } from './messages.js'

/** An eventfd's count. */
const COUNT_BYTES = 8

function at(eventfds: number[], index: number): number {
  const fd = eventfds[index % eventfds.length]
  if (fd === undefined) throw new RangeError('a run needs at least one eventfd')
  return fd
}

/** Busy-waits: a timer would sleep a thousand times as long. */
function spin(mostMicroseconds: number): void {
  const end = performance.now() + (Math.random() * mostMicroseconds) / 1000
  while (performance.now() < end);
}

/** A read's place in core memory, used round after round. */
class Slot {
  readonly #count: BigUint64Array
  readonly buffer: Buffer

  constructor(ring: Ring) {
    this.buffer = ring.alloc(COUNT_BYTES)
    this.#count = new BigUint64Array(this.buffer.buffer, this.buffer.byteOffset, 1)
  }

  /** What the read returned. */
  get value(): number {
    return Number(this.#count[0])
  }
}

/** Runs the rounds of one thread, and counts what they do. */
export class Rounds {
  readonly counts: Counts = {
    rounds: 0,
    submitted: 0,
    settled: 0,
    reads: 0,
    delivered: 0,
    returned: 0,
    cancelled: 0,
    added: 0,
  }
  readonly latency = new Histogram()
  readonly #ring: Ring
  readonly #task: Task
  readonly #own: Slot
  readonly #next: Slot
  readonly #addend: Buffer
  readonly #options: { async: boolean; onCancel: 'resolve' }
  #cancelledAt = 0

  constructor(ring: Ring, task: Task) {
    this.#ring = ring
    this.#task = task
    this.#own = new Slot(ring)
    this.#next = new Slot(ring)
    this.#addend = ring.alloc(COUNT_BYTES)
    new BigUint64Array(this.#addend.buffer, this.#addend.byteOffset, 1)[0] = BigInt(task.scenario.add)
    this.#options = { async: task.scenario.async, onCancel: 'resolve' }
  }

  /** Runs until the limit, or until the threads are to stop. */
  async run(): Promise<void> {
    const { counts } = this
    const { words, thread, scenario } = this.#task
    const { rounds = Infinity } = scenario
    while (counts.rounds < rounds && Atomics.load(words, Word.STOP) === 0) {
      await this.#round()
      counts.rounds += 1
      Atomics.add(words, Word.rounds(thread), 1)
    }
  }

  async #round(): Promise<void> {
    const ring = this.#ring
    const { eventfds, thread, scenario } = this.#task
    this.#cancelledAt = 0
    const own = ring.read(at(eventfds, thread), this.#own.buffer, this.#options)
    const next = ring.read(at(eventfds, thread + 1), this.#next.buffer, this.#options)
    const ends = [this.#ended(own, this.#own), this.#ended(next, this.#next)]
    this.counts.submitted += 3
    this.counts.reads += 2
    await this.#write(at(eventfds, thread + 2))
    // The reads went to the kernel with the write: from here on they wait there.
    if (scenario.spin > 0) spin(scenario.spin)
    this.#cancelledAt = performance.now()
    await Promise.all([ring.cancel(own), ring.cancel(next), ...ends])
  }

  async #write(eventfd: number): Promise<void> {
    const { bytesWritten } = await this.#ring.write(eventfd, this.#addend)
    if (bytesWritten !== COUNT_BYTES) throw new Error(`a write to an eventfd wrote ${bytesWritten} bytes`)
    this.counts.settled += 1
    this.counts.added += this.#task.scenario.add
  }

  async #ended(read: Promise<ReadResult | typeof CANCELLED>, slot: Slot): Promise<void> {
    const result = await read
    const { counts } = this
    counts.settled += 1
    // One that ended before its cancel waited for none.
    if (this.#cancelledAt > 0) this.latency.record(performance.now() - this.#cancelledAt)
    if (result === CANCELLED) {
      counts.cancelled += 1
      return
    }
    if (result.bytesRead !== COUNT_BYTES) {
      throw new Error(`a read of an eventfd returned ${result.bytesRead} bytes`)
    }
    counts.delivered += 1
    counts.returned += slot.value
  }
}

/**
 * The model of a pipe: a queue of numbers, four bytes each, no two alike.
 *
 * Calls overlap, so no one order of theirs is the right one. What must hold is that some order within their spans
 * explains every result: the queue is linearizable. For a queue of distinct values that is so exactly if nothing is
 * taken that was never put, nothing is taken twice or lost, nothing overtakes, and nobody finds it empty that was not
 * (Henzinger, Sezgin, Vafeiadis: Aspect-Oriented Linearizability Proofs, 2013).
 */
import type { Violations } from './calls.js'

/** When a call began and ended. */
export interface Span {
  begun: number
  ended: number
}

/** The bytes of one number. */
export const WORD = 4
/** Writes of so many bytes or fewer are never mixed with others: PIPE_BUF. */
const ATOMIC_BYTES = 4096

interface Put {
  span: Span
  first: number
  /** How many numbers it had. */
  offered: number
  /** How many it said it wrote; none until it says so. */
  taken: number
}

/** Numbers that one read found one after the other, and that one write put one after the other. */
interface Run {
  put: Put
  first: number
  length: number
  /** Which read found them, and where in it. */
  span: Span
  at: number
}

export class QueueModel {
  /** When the close of the reading end was asked for. */
  readerClosed = Infinity
  /** When the close of the writing end was asked for. */
  writerClosed = Infinity
  readonly #puts: Put[] = []
  readonly #ends: Span[] = []
  readonly #finds: { span: Span; numbers: number[] }[] = []
  #next = 0

  /** Numbers for a write that is about to begin. */
  offer(count: number): { first: number; began: (span: Span) => void; wrote: (bytes: number) => void } {
    const put: Put = {
      span: { begun: Infinity, ended: Infinity },
      first: this.#next,
      offered: count,
      taken: 0,
    }
    this.#puts.push(put)
    this.#next += count
    return {
      first: put.first,
      began: (span) => {
        put.span = span
      },
      wrote: (bytes) => {
        put.taken = bytes / WORD
      },
    }
  }

  /** A read found these. None: the end. */
  found(span: Span, numbers: number[]): void {
    if (numbers.length === 0) this.#ends.push(span)
    else this.#finds.push({ span, numbers })
  }

  /** Checks everything, when all calls have ended. `left`: what is in the pipe now, if anybody could look. */
  verify(violations: Violations, left: number[] | undefined): { written: number; delivered: number } {
    if (left !== undefined && left.length > 0) {
      this.#finds.push({ span: { begun: Infinity, ended: Infinity }, numbers: left })
    }
    const runs = this.#finds.flatMap(({ span, numbers }) => this.#runs(violations, span, numbers))
    this.#checkOnce(violations, runs, left !== undefined)
    this.#checkOrder(violations, runs)
    this.#checkEnds(violations, runs)
    const written = this.#puts.reduce((sum, put) => sum + put.taken, 0)
    const delivered = runs.reduce((sum, run) => sum + run.length, 0) - (left?.length ?? 0)
    return { written, delivered }
  }

  /** The runs of one read. */
  #runs(violations: Violations, span: Span, numbers: number[]): Run[] {
    const runs: Run[] = []
    for (const [at, number] of numbers.entries()) {
      const last = runs.at(-1)
      if (
        last !== undefined &&
        number === last.first + last.length &&
        number < last.put.first + last.put.offered
      ) {
        last.length += 1
        continue
      }
      const put = this.#puts.find(({ first, offered }) => number >= first && number < first + offered)
      if (put === undefined) violations.add(`${number} was read, and never written`)
      else runs.push({ put, first: number, length: 1, span, at })
    }
    for (const [index, { put }] of runs.entries()) {
      const isAtomic = put.offered * WORD <= ATOMIC_BYTES
      const isTorn = isAtomic && runs.slice(0, index).some((run) => run.put === put)
      violations.check(!isTorn, `the write from ${put.first} was torn within one read`)
      violations.check(put.span.begun < span.ended, `${put.first} was read before it was written`)
    }
    return runs
  }

  #checkOnce(violations: Violations, runs: Run[], isAllSeen: boolean): void {
    for (const put of this.#puts) {
      const { first, taken } = put
      const counts = new Uint32Array(put.offered)
      for (const run of runs) {
        if (run.put !== put) continue
        for (let index = 0; index < run.length; index += 1) {
          const at = run.first - first + index
          counts[at] = (counts[at] ?? 0) + 1
        }
      }
      const twice = counts.findIndex((count) => count > 1)
      violations.check(twice < 0, `${first + twice} was delivered twice`)
      const unwritten = counts.reduce((last, count, at) => (count > 0 ? at : last), -1)
      violations.check(unwritten < taken, `${first + unwritten} was delivered, but not counted as written`)
      const lost = isAllSeen ? counts.subarray(0, taken).indexOf(0) : -1
      violations.check(lost < 0, `${first + lost} was written, and is lost`)
    }
  }

  /** Nothing overtakes: not within a write, and not a write that began when another had ended. */
  #checkOrder(violations: Violations, runs: Run[]): void {
    for (const one of runs) {
      for (const other of runs) {
        const isEarlier =
          one.put === other.put ? one.first < other.first : one.put.span.ended < other.put.span.begun
        const isLater = one.span === other.span ? one.at > other.at : other.span.ended < one.span.begun
        violations.check(!(isEarlier && isLater), `${other.first} overtook ${one.first}`)
      }
    }
  }

  /** The end comes after the writer was closed, and nothing comes after the end. */
  #checkEnds(violations: Violations, runs: Run[]): void {
    for (const end of this.#ends) {
      violations.check(this.writerClosed < end.ended, 'an end of file, but the writer was open')
      const late = runs.find((run) => run.span.begun > end.ended)
      violations.check(late === undefined, `${late?.first ?? 0} came after the end of file`)
    }
  }
}

/** Numbers as bytes. */
export function encode(first: number, count: number): Buffer {
  const bytes = Buffer.alloc(count * WORD)
  for (let index = 0; index < count; index += 1) bytes.writeUInt32LE(first + index, index * WORD)
  return bytes
}

/** Bytes as numbers. */
export function decode(bytes: Uint8Array): number[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: Math.floor(view.length / WORD) }, (_, index) => view.readUInt32LE(index * WORD))
}

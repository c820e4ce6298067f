/**
 * The model of a file that is read and written at positions: each block is a register. A read may find what the last
 * write before it left there, or what a write that overlaps with it brings; and nothing that was overwritten before.
 */
import type { Violations } from './calls.js'
import type { Span } from './queue.js'

/** The bytes of a block. */
export const BLOCK = 512
/** The blocks of the file. */
export const BLOCKS = 8
/** The byte that the file is full of at first. Writes have their own, so there are this many of them at most. */
export const FIRST_TAG = 255

interface Write {
  span: Span
  start: number
  /** How many bytes it said it wrote. */
  taken: number
  tag: number
}

interface Read {
  span: Span
  start: number
  bytes: Uint8Array
}

export class BlocksModel {
  readonly #writes: Write[] = [
    { span: { begun: -1, ended: -1 }, start: 0, taken: BLOCK * BLOCKS, tag: FIRST_TAG },
  ]
  readonly #reads: Read[] = []
  #tags = 0

  /** Whether there are tags for another write. */
  get hasTags(): boolean {
    return this.#tags < FIRST_TAG
  }

  /** The byte for a write that is about to begin. */
  tag(): number {
    this.#tags += 1
    return this.#tags - 1
  }

  wrote(span: Span, start: number, taken: number, tag: number): void {
    this.#writes.push({ span, start, taken, tag })
  }

  found(span: Span, start: number, bytes: Uint8Array): void {
    this.#reads.push({ span, start, bytes: Uint8Array.from(bytes) })
  }

  /** Checks every read, when all calls have ended. */
  verify(violations: Violations): void {
    for (const read of this.#reads) {
      violations.check(read.bytes.length > 0, `a read at ${read.start} found the end of the file`)
      for (let from = 0; from < read.bytes.length; from += BLOCK) {
        const possible = this.#possible(read.span, read.start + from)
        const block = read.bytes.subarray(from, from + BLOCK)
        const wrong = block.find((byte) => !possible.has(byte))
        const words = `a read at ${read.start + from} found ${wrong ?? 0}, and not one of ${[...possible].join()}`
        violations.check(wrong === undefined, words)
      }
    }
  }

  #possible(span: Span, position: number): Set<number> {
    const writes = this.#writes.filter(
      (write) =>
        write.span.begun < span.ended &&
        write.start < position + BLOCK &&
        position < write.start + write.taken,
    )
    const isOverwritten = (write: Write) =>
      writes.some(
        (later) =>
          later.start <= position &&
          position + BLOCK <= later.start + later.taken &&
          write.span.ended < later.span.begun &&
          later.span.ended < span.begun,
      )
    return new Set(writes.filter((write) => !isOverwritten(write)).map(({ tag }) => tag))
  }
}

/** Copying large results out of core memory: a piece in each turn of the event loop, so that timers fire. */
import { PIECE_BYTES, type NativeRing } from './native.js'
import type { Operation } from './operation.js'

interface Copy {
  operation: Operation
  parts: Uint8Array[]
  /** Where the first part's bytes go. */
  start: number
  /** Bytes still to be copied. */
  left: number
  part: number
  /** Bytes copied of this part. */
  done: number
  finish: (isWhole: boolean) => void
}

export class CopyQueue {
  readonly #native: NativeRing
  readonly #copies: Copy[] = []
  readonly #idle: () => void
  #isScheduled = false

  /** `idle` is called when the last copy is done. */
  constructor(native: NativeRing, idle: () => void) {
    this.#native = native
    this.#idle = idle
  }

  get isEmpty(): boolean {
    return this.#copies.length === 0
  }

  /** Copies `bytes` of a kept result into its operation's views, and tells whether they still had room. */
  push(operation: Operation, bytes: number, finish: (isWhole: boolean) => void): void {
    const parts = operation.parts ?? (operation.bytes === undefined ? [] : [operation.bytes])
    const { start } = operation
    this.#copies.push({ operation, parts, start, left: bytes, part: 0, done: 0, finish })
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#step()
    })
  }

  #step(): void {
    const copy = this.#copies[0]
    if (copy === undefined) return
    const isWhole = this.#copyPiece(copy)
    if (isWhole && copy.left > 0) {
      this.#schedule()
      return
    }
    this.#copies.shift()
    copy.finish(isWhole)
    this.#native.release(copy.operation.id)
    if (this.isEmpty) this.#idle()
    else this.#schedule()
  }

  /** Copies a piece. False if a destination has no room any more. */
  #copyPiece(copy: Copy): boolean {
    let room = PIECE_BYTES
    while (room > 0 && copy.left > 0) {
      const target = copy.parts[copy.part]
      if (target === undefined) return false
      const size = partLength(copy.operation, copy.part, target)
      const amount = Math.min(room, copy.left, size - copy.done)
      if (amount > 0 && !this.#copyInto(copy, target, amount)) return false
      copy.done += amount
      copy.left -= amount
      room -= amount
      if (copy.done === size) {
        copy.part += 1
        copy.done = 0
      }
    }
    return true
  }

  #copyInto(copy: Copy, target: Uint8Array, amount: number): boolean {
    const { operation, part, done, start } = copy
    const region = operation.partRegions?.[part] ?? -1
    if (region >= 0) return target.byteLength >= start + done + amount
    return this.#native.copy(operation.id, part, done, target, start + done, amount) === amount
  }
}

/** How many bytes a part had at the call. */
function partLength(operation: Operation, part: number, target: Uint8Array): number {
  return operation.parts === undefined
    ? operation.length
    : (operation.partLengths?.[part] ?? target.byteLength)
}

/** Copying large results out of core memory: so much in each turn of the event loop, so that timers fire. */
import { copyPart, type Part } from './destination.js'
import type { NativeRing } from './native.js'

/** The most that a turn of the event loop copies of large results: it takes some 100 µs. */
const TURN_BYTES = 1 << 20

interface Copy {
  id: number
  /** Bytes still to be copied. */
  left: number
  /** The part that is being copied, and its number. */
  part: Part | undefined
  index: number
  /** Bytes copied of it. */
  done: number
  finish: (isWhole: boolean) => void
}

export class CopyQueue {
  readonly #native: NativeRing
  readonly #copies: Copy[] = []
  readonly #idle: () => void
  #isScheduled = false
  /** What is left of {@link TURN_BYTES} for the batch of completions that is being settled. */
  #room = 0

  /** `idle` is called when the last copy is done. */
  constructor(native: NativeRing, idle: () => void) {
    this.#native = native
    this.#idle = idle
  }

  get isEmpty(): boolean {
    return this.#copies.length === 0
  }

  /** A batch of completions is going to be settled. */
  begin(): void {
    this.#room = TURN_BYTES
  }

  /** Whether so many bytes may be copied at once. */
  admits(bytes: number): boolean {
    if (bytes > this.#room || !this.isEmpty) return false
    this.#room -= bytes
    return true
  }

  /** Copies `bytes` of a kept result to its parts, and tells whether there still was room. */
  push(id: number, part: Part | undefined, bytes: number, finish: (isWhole: boolean) => void): void {
    this.#copies.push({ id, left: bytes, part, index: 0, done: 0, finish })
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
    let room = TURN_BYTES
    for (let copy = this.#copies[0]; copy !== undefined && room > 0; copy = this.#copies[0]) {
      const before = copy.left
      let isWhole = false
      try {
        isWhole = this.#copyPiece(copy, room)
      } catch {
        // A view of the caller's throws: there is no place for the bytes.
      }
      room -= before - copy.left
      if (isWhole && copy.left > 0) break
      this.#copies.shift()
      copy.finish(isWhole)
      this.#native.release(copy.id)
    }
    if (this.isEmpty) this.#idle()
    else this.#schedule()
  }

  /** Copies at most `room` bytes. False if a part has no room any more. */
  #copyPiece(copy: Copy, most: number): boolean {
    let room = most
    while (room > 0 && copy.left > 0) {
      const { part } = copy
      if (part === undefined) return false
      const amount = Math.min(room, copy.left, part.length - copy.done)
      if (!copyPart(this.#native, copy.id, copy.index, part, copy.done, amount)) return false
      copy.done += amount
      copy.left -= amount
      room -= amount
      if (copy.done === part.length) {
        copy.part = part.next
        copy.index += 1
        copy.done = 0
      }
    }
    return true
  }
}

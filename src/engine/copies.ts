/** Copying large results out of core memory: so much in each turn of the event loop, so that timers fire. */
import { setImmediate } from 'node:timers'

import type { NativeRing } from '../native/native-functions.js'
import { copyPart, type Part } from './destination.js'

/** The most that a turn of the event loop copies of large results, of all rings: it takes some 100 µs. */
const TURN_BYTES = 1 << 20

/** What is left of {@link TURN_BYTES} in this turn for results that are copied as they come. */
let roomOfTurn = TURN_BYTES
/** Queues with something to copy, by how long they have waited. */
const waiting: CopyQueue[] = []
let isScheduled = false

/** Has the next turn copy, and begin anew with its bytes. */
function schedule(): void {
  if (isScheduled) return
  setImmediate(turn)
  isScheduled = true
}

function turn(): void {
  isScheduled = false
  roomOfTurn = TURN_BYTES
  let left = TURN_BYTES
  while (left > 0) {
    const queue = waiting.shift()
    if (queue === undefined) return
    left -= queue.step(left)
    if (!queue.isEmpty) waiting.push(queue)
  }
  if (waiting.length > 0) schedule()
}

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

/** How much of a result has to be copied: not what the kernel has put into core memory. */
function amountOf(bytes: number, first: Part | undefined): number {
  let [left, amount] = [bytes, 0]
  for (let part = first; part !== undefined && left > 0; part = part.next) {
    const length = Math.min(left, part.length)
    if (part.region < 0) amount += length
    left -= length
  }
  return amount
}

export class CopyQueue {
  readonly #native: NativeRing
  readonly #copies: Copy[] = []
  readonly #idle: () => void

  /** `idle` is called when the last copy is done. */
  constructor(native: NativeRing, idle: () => void) {
    this.#native = native
    this.#idle = idle
  }

  get isEmpty(): boolean {
    return this.#copies.length === 0
  }

  /** Whether a result is being copied. */
  holds(id: number): boolean {
    return this.#copies.some((copy) => copy.id === id)
  }

  /** Whether a result of so many bytes may be copied at once, to its parts. Larger ones do not keep it waiting. */
  admits(bytes: number, part: Part | undefined): boolean {
    const amount = amountOf(bytes, part)
    if (amount > roomOfTurn) return false
    if (amount > 0) schedule()
    roomOfTurn -= amount
    return true
  }

  /** Copies `bytes` of a kept result to its parts, and tells whether there still was room. */
  push(id: number, part: Part | undefined, bytes: number, finish: (isWhole: boolean) => void): void {
    if (this.isEmpty) waiting.push(this)
    this.#copies.push({ id, left: bytes, part, index: 0, done: 0, finish })
    schedule()
  }

  /** Copies at most so many bytes. How many it did. */
  step(most: number): number {
    let room = most
    for (let copy = this.#copies.shift(); copy !== undefined; copy = this.#copies.shift()) {
      const before = copy.left
      let isWhole = false
      try {
        isWhole = this.#copyPiece(copy, room)
      } catch {
        // A view of the caller's throws: there is no place for the bytes.
      }
      room -= before - copy.left
      if (isWhole && copy.left > 0) {
        // The next turn is that of the others.
        this.#copies.push(copy)
        break
      }
      copy.finish(isWhole)
      this.#native.release(copy.id)
      if (room === 0) break
    }
    if (this.isEmpty) this.#idle()
    return most - room
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

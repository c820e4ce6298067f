/**
 * The operations of one ring that have not settled: by id, for completions, and by descriptor, for cancels. Both cost what
 * they find, not what there is or ever was.
 *
 * The lists go through the operations themselves. A new one stands in the list of those that nobody has looked for; only a
 * cancel by descriptor sorts these into lists by number, each operation once. So a program that never cancels by descriptor
 * pays for no look-up.
 */
import { Kind, Operation } from './operation.js'

/** What stands in a list: an operation, or the list itself, which closes the circle. */
export interface Linked {
  previous: Linked
  next: Linked
}

class List implements Linked {
  previous: Linked = this
  next: Linked = this
}

/** A table with as many ids, or fewer, is never made smaller: 128 KiB. */
const KEPT_IDS = 8192

/** The list that an operation belongs to. A close, which no cancel reaches, and who has no descriptor: -1. */
function keyOf({ kind, fd }: Operation): number {
  return kind === Kind.CLOSE ? -1 : fd
}

/** Appends those of a list that are wanted. */
function collect(list: Linked | undefined, found: Operation[], wanted?: (operation: Operation) => boolean): void {
  if (list === undefined) return
  for (let link = list.next; link instanceof Operation; link = link.next) {
    if (link.kind !== Kind.CLOSE && (wanted === undefined || wanted(link))) found.push(link)
  }
}

export class OperationTable {
  /** How many operations have taken an id, less those that the native side refused: 32 bits. */
  begun = 0
  readonly #operations: (Operation | undefined)[] = []
  #freeIds: number[] = []
  /** Operations that were given back since the table was last looked at for its size. */
  #released = 0
  readonly #unsorted = new List()
  readonly #byNumber = new Map<number, List>()
  /** The numbers that an object had when operations were called with it: a FileHandle forgets its own when it is closed. */
  readonly #numbersOf = new WeakMap<object, number[]>()

  /**
   * Gives an operation an id. From its first line to its last nothing is called that may throw, for want of stack say: there
   * is a whole operation in the table, or none.
   */
  take(operation: Operation): void {
    const operations = this.#operations
    const unsorted = this.#unsorted
    this.begun = (this.begun + 1) | 0
    const id = this.#freeIds.pop() ?? operations.length
    operation.id = id
    operations[id] = operation
    const { previous } = unsorted
    operation.previous = previous
    operation.next = unsorted
    previous.next = operation
    unsorted.previous = operation
  }

  /** The operation with an id. */
  get(id: number): Operation | undefined {
    return this.#operations[id]
  }

  /** Takes an operation's id back. */
  release(operation: Operation): void {
    const { id, previous, next } = operation
    if (this.#operations[id] !== operation) return
    this.#operations[id] = undefined
    this.#freeIds.push(id)
    previous.next = next
    next.previous = previous
    // Its neighbours on both sides are one: the list, which is empty now.
    if (previous === next && previous !== this.#unsorted) this.#byNumber.delete(keyOf(operation))
  }

  /** Those on a descriptor: by its number, and by the object that the calls were made with. No closes. */
  on(fd: unknown, number: number): Operation[] {
    this.#sort()
    const found: Operation[] = []
    // An object that was closed meanwhile has forgotten its number, and -1 is that of all who have none.
    if (number >= 0) collect(this.#byNumber.get(number), found)
    if (typeof fd !== 'object' || fd === null) return found
    for (const earlier of this.#numbersOf.get(fd) ?? []) {
      if (earlier === number && number >= 0) continue
      collect(this.#byNumber.get(earlier), found, ({ holder }) => holder === fd)
    }
    return found
  }

  /** All, but closes. */
  all(): Operation[] {
    const found: Operation[] = []
    for (const list of this.#byNumber.values()) collect(list, found)
    collect(this.#unsorted, found)
    return found
  }

  /** Puts new operations into the lists of their descriptors. */
  #sort(): void {
    const unsorted = this.#unsorted
    for (let link = unsorted.next; link instanceof Operation; link = unsorted.next) {
      const list = this.#listOf(link)
      // Nothing from here on may throw, as in `take`.
      const { next } = link
      const { previous } = list
      unsorted.next = next
      next.previous = unsorted
      link.previous = previous
      link.next = list
      previous.next = link
      list.previous = link
    }
  }

  #listOf(operation: Operation): List {
    const key = keyOf(operation)
    const { holder } = operation
    if (typeof holder === 'object' && holder !== null) {
      const numbers = this.#numbersOf.get(holder)
      if (numbers === undefined) this.#numbersOf.set(holder, [key])
      else if (!numbers.includes(key)) numbers.push(key)
    }
    const known = this.#byNumber.get(key)
    if (known !== undefined) return known
    const list = new List()
    this.#byNumber.set(key, list)
    return list
  }

  /**
   * Operations were given back: after a burst, a table that has become far too large is made smaller. It is looked at only
   * after as many operations as it has ids, so that each of them pays for its own.
   */
  shrink(released: number): void {
    const operations = this.#operations
    this.#released += released
    if (operations.length <= KEPT_IDS || this.#released < operations.length) return
    this.#released = 0
    if (this.#freeIds.length < operations.length * 0.75) return
    let length = operations.length
    while (length > 0 && operations[length - 1] === undefined) length -= 1
    operations.length = length
    // The lowest is taken first, so that the highest come free.
    const free: number[] = []
    for (let id = length - 1; id >= 0; id -= 1) if (operations[id] === undefined) free.push(id)
    this.#freeIds = free
  }
}

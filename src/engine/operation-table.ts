/**
 * The operations of one ring that have not settled: by id, for completions, and by descriptor, for cancels. Both cost what
 * they find, not what there is or ever was.
 *
 * There are no lists before the first cancel by descriptor: a program that makes none pays nothing for them. From then on a new
 * operation stands in the list of those that nobody has looked for; only a cancel by descriptor sorts these into lists by
 * number, each operation once. The lists are linked by numbers, because pointers cost V8 a write barrier each.
 */
import type { Operation } from './operation.js'

/** A table with as many ids, or fewer, is never made smaller: 128 KiB. */
const KEPT_IDS = 8192
const FIRST_IDS = 256

/** The list that an operation belongs to. Whom no cancel reaches, and who has no descriptor: -1. */
function keyOf({ kind, fd }: Operation): number {
  return kind.isCancellable ? fd : -1
}

/** The number of the list of those that nobody has looked for. */
const UNSORTED = -1

/**
 * Doubly linked lists of ids. A list is a negative number, and closes a circle: it stands before the first of its ids and
 * behind the last. The places of all lists and ids lie in one array, from the middle to both sides.
 */
class Lists {
  #size = FIRST_IDS
  #links = new Int32Array(4 * FIRST_IDS)
  #lastList = 0
  readonly #freeLists: number[] = []

  /** A list without ids. */
  make(): number {
    const list = this.#freeLists.pop() ?? this.#lastList - 1
    if (list < this.#lastList) {
      if (-list >= this.#size) this.#resize(2 * this.#size)
      this.#lastList = list
    }
    this.#set(list, list, list)
    return list
  }

  free(list: number): void {
    this.#freeLists.push(list)
  }

  #set(place: number, previous: number, next: number): void {
    const at = 2 * (place + this.#size)
    this.#links[at] = previous
    this.#links[at + 1] = next
  }

  /** Puts an id that stands nowhere at the end of a list: whole, or not at all, if it throws for want of stack. */
  append(list: number, id: number): void {
    if (id >= this.#size) this.#resize(2 * this.#size)
    const links = this.#links
    const size = this.#size
    const end = 2 * (list + size)
    const at = 2 * (id + size)
    const last = links[end] ?? 0
    links[at] = last
    links[at + 1] = list
    links[2 * (last + size) + 1] = id
    links[end] = id
  }

  /** Takes an id out of its list. The list, if it is empty now. */
  remove(id: number): number | undefined {
    const links = this.#links
    const size = this.#size
    const at = 2 * (id + size)
    const previous = links[at] ?? 0
    const next = links[at + 1] ?? 0
    links[2 * (previous + size) + 1] = next
    links[2 * (next + size)] = previous
    return previous === next ? previous : undefined
  }

  /** Takes the first id out of its list, and puts it at the end of another: whole, or not at all. */
  move(from: number, list: number): void {
    const links = this.#links
    const size = this.#size
    const start = 2 * (from + size)
    const end = 2 * (list + size)
    const id = links[start + 1] ?? 0
    const at = 2 * (id + size)
    const next = links[at + 1] ?? 0
    const last = links[end] ?? 0
    links[start + 1] = next
    links[2 * (next + size)] = from
    links[at] = last
    links[at + 1] = list
    links[2 * (last + size) + 1] = id
    links[end] = id
  }

  /** What stands behind an id or a list: the next id, or the list. */
  next(place: number): number {
    return this.#links[2 * (place + this.#size) + 1] ?? 0
  }

  #resize(size: number): void {
    const links = new Int32Array(4 * size)
    const both = Math.min(size, this.#size)
    links.set(this.#links.subarray(2 * (this.#size - both), 2 * (this.#size + both)), 2 * (size - both))
    this.#links = links
    this.#size = size
  }

  /** There are only so many ids from now on. */
  shrink(ids: number): void {
    let size = FIRST_IDS
    while (size <= Math.max(ids, -this.#lastList)) size *= 2
    if (size < this.#size) this.#resize(size)
  }
}

export class OperationTable {
  /** How many operations have taken an id, less those that the native side refused: 32 bits. */
  begun = 0
  readonly #operations: (Operation | undefined)[] = []
  #freeIds: number[] = []
  /** Operations that were given back since the table was last looked at for its size. */
  #released = 0
  /** Higher ids are not used again: the table is about to be made smaller. */
  #ceiling = Infinity
  /** Made by the first who asks for the operations on a descriptor. */
  #lists: Lists | undefined
  /** The operation that is being given an id: if it still is at the next call, a time limit of node:vm has struck in between. */
  #taking: Operation | undefined
  readonly #listOf = new Map<number, number>()
  /** The numbers that an object had when operations were called with it: a FileHandle forgets its own when it is closed. */
  readonly #numbersOf = new WeakMap<object, number[]>()

  /** Gives an operation an id. What may throw, for want of stack say, comes before anything is changed. */
  take(operation: Operation): void {
    if (this.#taking !== undefined) this.#repair()
    this.#taking = operation
    const operations = this.#operations
    const { length } = operations
    const freeIds = this.#freeIds
    const id = freeIds.at(-1) ?? length
    this.#lists?.append(UNSORTED, id)
    if (id < length) freeIds.pop()
    operations[id] = operation
    operation.id = id
    this.begun = (this.begun + 1) | 0
    this.#taking = undefined
  }

  /** Makes ids anew out of the operations there are, but for the one that was not given its id as a whole; and lists. */
  #repair(): void {
    const broken = this.#taking
    const operations = this.#operations
    this.#freeIds = []
    for (let id = operations.length - 1; id >= 0; id -= 1) {
      if (operations[id] === broken) operations[id] = undefined
      if (operations[id] === undefined && id < this.#ceiling) this.#freeIds.push(id)
    }
    if (this.#lists !== undefined) this.#lists = this.#unsorted()
    this.#taking = undefined
  }

  /** New lists, in which nobody has looked for anything. */
  #unsorted(): Lists {
    const lists = new Lists()
    // The first list is UNSORTED.
    lists.make()
    for (const [id, operation] of this.#operations.entries()) {
      if (operation !== undefined) lists.append(UNSORTED, id)
    }
    this.#listOf.clear()
    return lists
  }

  /** The operation with an id. */
  get(id: number): Operation | undefined {
    return this.#operations[id]
  }

  /** Takes an operation's id back. */
  release(operation: Operation): void {
    if (this.#taking !== undefined) this.#repair()
    const { id } = operation
    if (this.#operations[id] !== operation) return
    const emptied = this.#lists?.remove(id)
    this.#operations[id] = undefined
    if (id < this.#ceiling) this.#freeIds.push(id)
    if (emptied === undefined || emptied >= UNSORTED) return
    this.#listOf.delete(keyOf(operation))
    this.#lists?.free(emptied)
  }

  /** Those on a descriptor that a cancel reaches: by its number, and by the object that the calls were made with. */
  on(fd: unknown, number: number): Operation[] {
    if (this.#taking !== undefined) this.#repair()
    const lists = (this.#lists ??= this.#unsorted())
    this.#sort(lists)
    const found: Operation[] = []
    // An object that was closed meanwhile has forgotten its number, and -1 is that of all who have none.
    if (number >= 0) this.#collect(lists, this.#listOf.get(number), found)
    if (typeof fd !== 'object' || fd === null) return found
    for (const earlier of this.#numbersOf.get(fd) ?? []) {
      if (earlier === number && number >= 0) continue
      this.#collect(lists, this.#listOf.get(earlier), found, ({ holder }) => holder === fd)
    }
    return found
  }

  /**
   * All that a cancel reaches. Not by the lists: the table is never much longer than what there is, and whatever a time limit of node:vm
   * may have struck, an operation that has an id is found.
   */
  all(): Operation[] {
    return this.#operations.filter(
      (operation): operation is Operation => operation !== undefined && operation.kind.isCancellable,
    )
  }

  /** Appends those of a list that are wanted. */
  #collect(
    lists: Lists,
    list: number | undefined,
    found: Operation[],
    wanted?: (operation: Operation) => boolean,
  ): void {
    if (list === undefined) return
    for (let id = lists.next(list); id >= 0; id = lists.next(id)) {
      const operation = this.#operations[id]
      if (operation === undefined || !operation.kind.isCancellable) continue
      if (wanted === undefined || wanted(operation)) found.push(operation)
    }
  }

  /** Puts new operations into the lists of their descriptors. */
  #sort(lists: Lists): void {
    for (let id = lists.next(UNSORTED); id >= 0; id = lists.next(UNSORTED)) {
      const list = this.#find(lists, this.#operations[id])
      lists.move(UNSORTED, list)
    }
  }

  /** The list for an operation. */
  #find(lists: Lists, operation: Operation | undefined): number {
    const key = operation === undefined ? -1 : keyOf(operation)
    const holder = operation?.holder
    if (typeof holder === 'object' && holder !== null) {
      const numbers = this.#numbersOf.get(holder)
      if (numbers === undefined) this.#numbersOf.set(holder, [key])
      else if (!numbers.includes(key)) numbers.push(key)
    }
    const known = this.#listOf.get(key)
    if (known !== undefined) return known
    const list = lists.make()
    this.#listOf.set(key, list)
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
    let { length } = operations
    while (length > 0 && operations[length - 1] === undefined) length -= 1
    // The lowest is taken first.
    const free: number[] = []
    for (let id = length - 1; id >= 0; id -= 1) if (operations[id] === undefined) free.push(id)
    const wanted = Math.max(KEPT_IDS, 4 * (length - free.length))
    this.#ceiling = length > wanted ? wanted : Infinity
    this.#freeIds = length > wanted ? free.filter((id) => id < wanted) : free
    if (operations.length <= wanted) return
    operations.length = length
    this.#lists?.shrink(length)
    // Who stands high now goes soon, most likely.
    if (length > wanted) this.#released = Math.floor(length * 0.875)
  }
}

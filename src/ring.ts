/** The public face: a ring, its operations, and its life. */
import { EventEmitter } from 'node:events'
import { inspect, type InspectOptions } from 'node:util'

import { checkInteger } from './arguments/checks.js'
import { type FdLike, fdNumber } from './arguments/descriptor.js'
import { resolveOptions, type RingOptions } from './arguments/ring-options.js'
import { engineOf, giveEngine } from './engine/engine-of.js'
import { Engine } from './engine/engine.js'
import { type CancelResult, findOperation, type Operation } from './engine/operation.js'
import { publishStuck, type StuckOperation } from './engine/stuck.js'
import { closedError, invalidType } from './errors.js'
import { isSupported, probe, type RingProbe } from './native/addon/probe.js'
import { readStats, type RingStats } from './native/counters.js'
import type { NativeReport } from './native/native-functions.js'
import { OPERATIONS, type Operations } from './operations/methods.js'

/**
 * The events of a ring, with what their listeners get.
 *
 * @example
 * ```ts
 * ring.on('stuck', ({ operation, fd, promise }) => console.warn(`${operation} on ${fd} does not end`, promise))
 * ```
 */
export interface RingEvents {
  /** An operation outlived `stuckAfter` after its cancellation was asked for. It stays tracked. */
  stuck: [operation: StuckOperation]
}

/** Its name is what the error says that posting a ring to another thread throws. */
function aRingBelongsToTheThreadThatMadeIt(): void {}

let current: Ring | undefined

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- the class takes over what the table has
export interface Ring extends Operations {}

/**
 * An io_uring of this thread, in which every operation settles exactly once, and a cancelled one always settles.
 *
 * Calls made in one run of microtasks go to the kernel with one system call. A ring belongs to the thread that made it:
 * it can be neither posted to another nor shared. Pending operations keep the process alive ({@link unref}).
 *
 * **Cancelled**, by its `signal` or `timeout` or by the ring, an operation rejects with an {@link AbortError} (for its
 * timeout a {@link TimeoutError}), or resolves to {@link CANCELLED} where `onCancel` is `'resolve'`; always after the
 * kernel has let go of it. If its result was there before the cancel, it has that result, and nothing is lost.
 *
 * **Errors** of all operations, as rejections: a TypeError (`ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`) or RangeError
 * (`ERR_OUT_OF_RANGE`) for wrong arguments, as node:fs words them; an Error with `code`, a negative `errno` and `syscall` for
 * what the system answers (EBADF, EISDIR, ENOENT, ...); a {@link RingError} for what the ring itself refuses
 * (`ERR_RING_CLOSED`, `ERR_RING_QUEUE_FULL`, `ERR_RING_ARENA_FULL`) or gives up at its end (`ERR_OPERATION_STUCK`).
 *
 * @example
 * ```ts
 * const ring = new Ring()
 * const { signal } = new AbortController()
 * const { bytesRead, buffer } = await ring.read(fd, { signal, timeout: 1000 })
 * await ring.close()
 * ```
 */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- its static block keeps what the interface promises
export class Ring extends EventEmitter<RingEvents> {
  #finalStats: RingStats | undefined
  readonly #ended: Promise<void>
  #end: () => void = () => {}

  static {
    for (const { prototype } of OPERATIONS) {
      const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(prototype)
      Object.defineProperties(this.prototype, methods)
    }
  }

  /**
   * Makes a ring.
   *
   * @example
   * ```ts
   * const ring = new Ring({ cancel: { stuckAfter: 1000 } })
   * ```
   * @throws TypeError `ERR_INVALID_ARG_TYPE` or RangeError `ERR_OUT_OF_RANGE` for a wrong option, an Error
   *   `ERR_IO_URING_UNAVAILABLE` with `errno`, `reason` and `remedy` where there is no io_uring.
   */
  constructor(options?: RingOptions) {
    super()
    const events = {
      stuck: (operation: Operation, report: NativeReport) => this.#report(publishStuck(operation, report)),
      drained: () => this.#drained(),
    }
    giveEngine(this, new Engine(resolveOptions(options), events))
    this.#ended = new Promise((resolve) => {
      this.#end = resolve
    })
    // Cloning must meet the property that explains before the listeners, which cannot be cloned either.
    Object.defineProperty(this, '_events', { enumerable: false })
    Object.defineProperty(this, 'thread', { value: aRingBelongsToTheThreadThatMadeIt, enumerable: true })
  }

  /**
   * This thread's own ring, made with the defaults at the first call, and again after it was closed.
   *
   * @throws {@link RingError} `ERR_IO_URING_UNAVAILABLE`, as the constructor.
   * @example
   * ```ts
   * await Ring.current().sleep(10)
   * ```
   */
  static current(): Ring {
    if (current === undefined || current.closed) current = new Ring()
    return current
  }

  /**
   * Whether this machine has io_uring, and this process may use it. Never throws. It asks the kernel at each call, with a
   * small ring that is closed again.
   *
   * @example
   * ```ts
   * if (!Ring.isSupported()) console.error(Ring.probe().reason)
   * ```
   */
  static isSupported(): boolean {
    return isSupported()
  }

  /**
   * What this machine's io_uring can do, or why there is none and what to do about it. Never throws.
   *
   * @example
   * ```ts
   * const { kernel, supported, reason, remedy } = Ring.probe()
   * console.log(supported ? kernel : `${reason}; ${remedy}`)
   * ```
   */
  static probe(): RingProbe {
    return probe()
  }

  /**
   * Whether the ring takes no more operations: `close` or `destroy` was called.
   *
   * @example
   * ```ts
   * if (!ring.closed) await ring.nop()
   * ```
   */
  get closed(): boolean {
    return this.#engine.life !== 'open'
  }

  /**
   * Cancels an operation, named by the promise that its call returned. Resolves when it has really ended, after its
   * final completion, to what became of it; never rejects for that. The operation itself rejects with an AbortError
   * (which needs no handler), unless its result was there first. Cancelling again, or too late, is harmless.
   *
   * It waits for as long as the kernel holds the operation, which for a disk or a server that does not answer may be long;
   * the event `stuck` tells of it.
   *
   * @throws (as a rejection) TypeError `ERR_INVALID_ARG_TYPE` for a promise that is not of an operation on this ring: one that
   *   `then` or an async function made of it, for instance.
   * @example
   * ```ts
   * const reading = ring.read(fd)
   * const { outcome, attempts } = await ring.cancel(reading)
   * ```
   */
  cancel(operation: Promise<unknown>): Promise<CancelResult> {
    const found = findOperation(operation)
    if (found === undefined || found.owner !== this.#engine) {
      return Promise.reject(
        invalidType('operation', 'a promise that a call on this ring returned', operation),
      )
    }
    const { outcome, attempts } = found
    if (outcome !== 'unsettled') return Promise.resolve({ outcome, attempts })
    found.expectAbort()
    this.#engine.cancel(found, undefined)
    return found.ended()
  }

  /**
   * Cancels every operation on a descriptor; resolves to how many there were, when all have ended. The descriptor stays
   * open.
   *
   * @throws (as a rejection) TypeError `ERR_INVALID_ARG_TYPE` and RangeError `ERR_OUT_OF_RANGE` for what is no descriptor.
   * @example
   * ```ts
   * const howMany = await ring.cancelFd(fd)
   * ```
   */
  cancelFd(fd: FdLike): Promise<number> {
    try {
      return this.#awaitAll(this.#engine.cancelEach(this.#engine.operations.on(fd, fdNumber(fd))))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * Cancels every operation of the ring, but `closeFd`; resolves to how many there were, when all have ended. The ring stays
   * usable. Never rejects.
   *
   * @example
   * ```ts
   * const howMany = await ring.cancelAll()
   * ```
   */
  cancelAll(): Promise<number> {
    return this.#awaitAll(this.#engine.cancelEach(this.#engine.operations.all()))
  }

  async #awaitAll(operations: Operation[]): Promise<number> {
    // Not by their promises: that would count as handling what they reject with.
    await Promise.all(operations.map((operation) => operation.ended()))
    return operations.length
  }

  /**
   * A Buffer of zeros on core memory, which operations of this ring use without copying. Begins at a page, as O_DIRECT
   * wants it. `bytes` is 0 to 2147483647; it counts against `arenaBytes` until the Buffer is garbage.
   *
   * @throws TypeError or RangeError for a wrong number; {@link RingError} `ERR_RING_ARENA_FULL`, `ERR_RING_CLOSED`,
   * and `ERR_RING_NO_EXTERNAL_MEMORY` where the runtime allows no ArrayBuffer on an addon's memory (Electron), and in a worker
   * once workers that ended have lost 32 MiB that had been transferred to others.
   * @example
   * ```ts
   * const buffer = ring.alloc(2 ** 20)
   * const { bytesRead } = await ring.read(fd, buffer)
   * ```
   */
  alloc(bytes: number): Buffer {
    checkInteger('bytes', bytes, 0, 0x7fff_ffff)
    if (this.#engine.life === 'closed') throw closedError()
    return bytes === 0 ? Buffer.alloc(0) : this.#engine.memory.alloc(bytes)
  }

  /**
   * The counters. They stay readable after the ring's end. Never throws.
   *
   * @example
   * ```ts
   * const { cancelsRequested, reissues, rescued } = ring.stats()
   * ```
   */
  stats(): RingStats {
    return this.#finalStats ?? readStats(this.#engine.native)
  }

  /**
   * Lets pending operations keep the process alive: the default. Returns the ring. Never throws.
   *
   * @example
   * ```ts
   * ring.ref()
   * ```
   */
  ref(): this {
    if (this.#engine.life !== 'closed') this.#engine.native.setReferenced(1)
    return this
  }

  /**
   * Lets the process end although operations are pending. Returns the ring. Never throws.
   *
   * @example
   * ```ts
   * const background = new Ring().unref()
   * ```
   */
  unref(): this {
    if (this.#engine.life !== 'closed') this.#engine.native.setReferenced(0)
    return this
  }

  /**
   * Takes no more operations, and resolves when those there are have ended, however long that takes: none is cancelled.
   * Calling it again, or after `destroy`, gives the same end. Never rejects.
   *
   * @example
   * ```ts
   * await ring.write(fd, 'the last line\n')
   * await ring.close()
   * ```
   */
  close(): Promise<void> {
    if (this.#engine.life === 'open') this.#engine.close()
    return this.#ended
  }

  /**
   * Takes no more operations, cancels those there are, and resolves when they have ended, at the latest after
   * `drainTimeout`, which counts from when the kernel is told, at the end of this run of microtasks: what the kernel still holds then rejects with `ERR_OPERATION_STUCK` and is leaked, never freed.
   * `error` is the `cause` of the AbortErrors. Never rejects.
   *
   * @example
   * ```ts
   * process.once('SIGTERM', () => void ring.destroy(new Error('SIGTERM')))
   * ```
   */
  destroy(error?: unknown): Promise<void> {
    const { life } = this.#engine
    if (life === 'open' || life === 'closing') {
      this.#engine.cancelEach(this.#engine.operations.all(), error)
      this.#engine.destroy()
    }
    return this.#ended
  }

  /**
   * The same as {@link destroy}, for `await using`. Never rejects.
   *
   * @example
   * ```ts
   * {
   *   await using ring = new Ring()
   *   await ring.sleep(10)
   * }
   * ```
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy()
  }

  get #engine(): Engine {
    return engineOf(this)
  }

  #report(operation: StuckOperation): void {
    this.emit('stuck', operation)
  }

  #drained(): void {
    this.#finalStats = this.stats()
    this.#end()
  }

  /**
   * What console.log shows of a ring: its state and its counters.
   *
   * @internal
   */
  [inspect.custom](depth: number, options: InspectOptions): string {
    const state = this.#engine.life
    return depth < 0 ? `Ring { ${state} }` : `Ring ${inspect({ state, ...this.stats() }, options)}`
  }
}

/** The public face: a ring, its operations, and its life. */
import { EventEmitter } from 'node:events'
import { inspect, type InspectOptions } from 'node:util'

import { closeWithoutRing, noteClosed, noteOpened, ownersClose } from './descriptor-owners.js'
import { partsOf } from './destination.js'
import { publishStuck, type StuckOperation } from './diagnostics.js'
import { Engine, flagsOf, timeoutOf } from './engine.js'
import { closedError, invalidType } from './errors.js'
import { Kind } from './kind.js'
import { type CancelResult, findOperation, type Operation } from './operation.js'
import { type OpenFlags, modeOf, openFlags, pathOf } from './paths.js'
import { resolveOptions, type RingOptions } from './options.js'
import {
  checkInteger,
  checkMilliseconds,
  checkOptions,
  type FdLike,
  fdNumber,
  type OperationOptions,
  positionOf,
  type ReadOptions,
  viewsOf,
  type WriteOptions,
} from './requests.js'
import type { ReadResult, ReadVectorResult, Settles, WriteResult, WriteVectorResult } from './results.js'
import { settleRead } from './reads.js'
import { completeNothing, settleWith } from './settle.js'
import { readStats, type RingStats } from './stats.js'
import { nop } from './submissions.js'
import { isSupported, probe, type RingProbe } from './support.js'
import { read, write } from './transfers.js'

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

/** The descriptor of operations that have none. */
const NO_DESCRIPTOR: FdLike = { fd: -1 }

const NOP = new Kind('nop', completeNothing)
const READV = new Kind<Operation>('readv', (operation, result, status, attempts) =>
  settleRead(operation, result, status, attempts, (bytesRead, buffers) => ({ bytesRead, buffers })),
)
const WRITEV = new Kind<Operation>('writev', (operation, bytesWritten, _status, attempts) =>
  settleWith(operation, { bytesWritten, buffers: operation.given }, attempts),
)
const POLL = new Kind<Operation>('poll', (operation, events, _status, attempts) =>
  settleWith(operation, events, attempts),
)
const OPEN = new Kind<Operation>(
  'open',
  (operation, fd, _status, attempts) => settleWith(operation, noteOpened(fd), attempts),
  { hasPath: true },
)
const SLEEP = new Kind('sleep', completeNothing)
const FSYNC = new Kind('fsync', completeNothing)
const FDATASYNC = new Kind('fdatasync', completeNothing)
const CLOSE = new Kind('close', completeNothing, { isCancellable: false })

let current: Ring | undefined

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
export class Ring extends EventEmitter<RingEvents> {
  readonly #engine: Engine
  #state: 'open' | 'closing' | 'destroying' | 'closed' = 'open'
  #finalStats: RingStats | undefined
  readonly #ended: Promise<void>
  #end: () => void = () => {}

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
    this.#engine = new Engine(resolveOptions(options), {
      stuck: (operation, report) => this.#report(publishStuck(operation, report)),
      drained: () => this.#drained(),
    })
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
    return this.#state !== 'open'
  }

  /**
   * Reads, with FileHandle.read's overloads: `(fd, buffer, offset, length, position, options)`, `(fd, buffer,
   * options)`, `(fd, options)`, `(fd)`.
   *
   * `offset`, `length` and `position` are in bytes; the result may be shorter than `length`, as read(2)'s, and is 0 at the
   * end of a file. It waits for as long as there is nothing to read, on an O_NONBLOCK descriptor as well.
   *
   * A buffer of {@link alloc}, and the one that is made where none is given, is read into directly; any other gets a
   * copy, in pieces of 1 MiB if it is larger, each in a turn of the event loop. Where the destination was detached or
   * shrunk meanwhile, it rejects with an {@link InvalidStateError}, which has the bytes in `data`.
   *
   * Cancelled, it has taken nothing from the descriptor. If bytes were there first, it resolves to them.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); EBADF, EISDIR, EIO, ... of read(2).
   * @example
   * ```ts
   * const { bytesRead, buffer } = await ring.read(fd, Buffer.alloc(4096), { position: 0, timeout: 500 })
   * ```
   */
  read<T extends NodeJS.ArrayBufferView>(
    fd: FdLike,
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<ReadResult<T>>
  read<T extends NodeJS.ArrayBufferView, O extends OperationOptions>(
    fd: FdLike,
    buffer: T,
    offset: number | null | undefined,
    length: number | null | undefined,
    position: number | bigint | null | undefined,
    options: O,
  ): Promise<Settles<ReadResult<T>, O>>
  read<T extends NodeJS.ArrayBufferView, O extends ReadOptions>(
    fd: FdLike,
    buffer: T,
    options: O,
  ): Promise<Settles<ReadResult<T>, O>>
  read<T extends NodeJS.ArrayBufferView, O extends ReadOptions<T>>(
    fd: FdLike,
    options: O & { buffer: T },
  ): Promise<Settles<ReadResult<T>, O>>
  read<O extends ReadOptions>(fd: FdLike, options?: O): Promise<Settles<ReadResult, O>>
  read(
    fd: FdLike,
    buffer?: unknown,
    offset?: unknown,
    length?: unknown,
    position?: unknown,
    options?: unknown,
  ): Promise<unknown> {
    try {
      return read(this.#engine, fd, buffer, offset, length, position, options)
    } catch (error) {
      return this.#engine.refuse(error)
    }
  }

  /**
   * Writes, with FileHandle.write's overloads: `(fd, buffer, offset, length, position, options)`, `(fd, buffer,
   * options)`, `(fd, string, position, encoding, options)`.
   *
   * `offset`, `length` and `position` are in bytes; fewer may be written than were given, as by write(2), above all on pipes
   * and sockets. It waits for room, on an O_NONBLOCK descriptor as well. The bytes are those of the call: the buffer may be changed at once. Only a buffer of
   * {@link alloc} is not copied, and must be left alone until the promise settles.
   *
   * Cancelled, it has written nothing. If bytes went first, it resolves to how many.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); EBADF, EPIPE, ENOSPC, ... of write(2).
   * @example
   * ```ts
   * const { bytesWritten } = await ring.write(fd, 'a line\n', null, 'utf8', { timeout: 500 })
   * ```
   */
  write<T extends NodeJS.ArrayBufferView>(
    fd: FdLike,
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<WriteResult<T>>
  write<T extends NodeJS.ArrayBufferView, O extends OperationOptions>(
    fd: FdLike,
    buffer: T,
    offset: number | null | undefined,
    length: number | null | undefined,
    position: number | bigint | null | undefined,
    options: O,
  ): Promise<Settles<WriteResult<T>, O>>
  write<T extends NodeJS.ArrayBufferView, O extends WriteOptions>(
    fd: FdLike,
    buffer: T,
    options: O,
  ): Promise<Settles<WriteResult<T>, O>>
  write<O extends WriteOptions>(
    fd: FdLike,
    text: string,
    options: O,
  ): Promise<Settles<WriteResult<string>, O>>
  write<O extends OperationOptions>(
    fd: FdLike,
    text: string,
    position?: number | bigint | null,
    encoding?: BufferEncoding | null,
    options?: O,
  ): Promise<Settles<WriteResult<string>, O>>
  write(
    fd: FdLike,
    data: unknown,
    offset?: unknown,
    length?: unknown,
    position?: unknown,
    options?: unknown,
  ): Promise<unknown> {
    try {
      return write(this.#engine, fd, data, offset, length, position, options)
    } catch (error) {
      return this.#engine.refuse(error)
    }
  }

  /**
   * Reads into several buffers, one after the other, as one readv(2); at most 1024 of them. `position` is in bytes. For
   * the rest it is as {@link read}, also when cancelled.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); those of readv(2); {@link InvalidStateError}.
   * @example
   * ```ts
   * const [head, body] = [Buffer.alloc(16), Buffer.alloc(1024)]
   * const { bytesRead } = await ring.readv(fd, [head, body], 0)
   * ```
   */
  readv<T extends readonly NodeJS.ArrayBufferView[], O extends OperationOptions>(
    fd: FdLike,
    buffers: T,
    position?: number | bigint | null,
    options?: O,
  ): Promise<Settles<ReadVectorResult<T>, O>>
  readv(fd: FdLike, buffers: unknown, position?: unknown, options?: unknown): Promise<unknown> {
    return this.#vectored(READV, fd, buffers, position, options)
  }

  /**
   * Writes several buffers as one writev(2); at most 1024 of them. `position` is in bytes. The bytes are those of the
   * call. For the rest it is as {@link write}, also when cancelled.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); those of writev(2).
   * @example
   * ```ts
   * const { bytesWritten } = await ring.writev(fd, [Buffer.from('head'), Buffer.from('body')])
   * ```
   */
  writev<T extends readonly NodeJS.ArrayBufferView[], O extends OperationOptions>(
    fd: FdLike,
    buffers: T,
    position?: number | bigint | null,
    options?: O,
  ): Promise<Settles<WriteVectorResult<T>, O>>
  writev(fd: FdLike, buffers: unknown, position?: unknown, options?: unknown): Promise<unknown> {
    return this.#vectored(WRITEV, fd, buffers, position, options)
  }

  #vectored(
    kind: Kind<Operation>,
    fd: FdLike,
    buffers: unknown,
    position: unknown,
    given: unknown,
  ): Promise<unknown> {
    return this.#begin(kind, fd, given, (operation, number, flags, timeout) => {
      const { native, memory } = this.#engine
      const views = viewsOf(buffers)
      const where = positionOf(position)
      const parts = partsOf(views, memory)
      const triples = new Float64Array(
        parts.flatMap(({ bytes, length, region }) => [region, bytes.byteOffset, length]),
      )
      operation.given = buffers
      if (kind === WRITEV) {
        return native.writev(operation.id, number, triples, views, where, flags, timeout)
      }
      operation.part = parts[0]
      return native.readv(operation.id, number, triples, where, flags, timeout)
    })
  }

  /**
   * Goes through the kernel and does nothing: to measure, or to yield.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}).
   * @example
   * ```ts
   * await ring.nop()
   * ```
   */
  nop<O extends OperationOptions>(options?: O): Promise<Settles<void, O>>
  nop(given?: unknown): Promise<unknown> {
    // Without the closure that #begin takes: a nop is there to measure the rest.
    const engine = this.#engine
    try {
      const options = checkOptions(given)
      const early = engine.refuseEarly(options)
      if (early !== undefined) return early
      const operation = engine.begin(NOP, -1, undefined, options)
      const answer = nop(engine.native, operation.id, flagsOf(options), timeoutOf(options))
      if (answer >= 0 && operation.cancellation === undefined) return operation.promise
      return engine.begun(operation, answer)
    } catch (error) {
      return engine.refuse(error)
    }
  }

  /**
   * Waits until one of `events` holds (a mask as in poll(2), see {@link PollEvents}), and resolves to the mask of those
   * that do, which may have POLLERR and POLLHUP unasked. Cancelled, it has changed nothing.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); EBADF.
   * @example
   * ```ts
   * const events = await ring.poll(fd, PollEvents.POLLIN, { timeout: 1000 })
   * ```
   */
  poll<O extends OperationOptions>(fd: FdLike, events: number, options?: O): Promise<Settles<number, O>>
  poll(fd: FdLike, events: unknown, options?: unknown): Promise<unknown> {
    return this.#begin(POLL, fd, options, (operation, number, flags, timeout) => {
      checkInteger('events', events, 0, 0x7fff)
      return this.#engine.native.poll(operation.id, number, events, flags, timeout)
    })
  }

  /**
   * Resolves after so many milliseconds (0 or more; fractions count), by the kernel's own timer. Cancelled, it ends at
   * once.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}).
   * @example
   * ```ts
   * await ring.sleep(0.5, { signal })
   * ```
   */
  sleep<O extends OperationOptions>(milliseconds: number, options?: O): Promise<Settles<void, O>>
  sleep(milliseconds: unknown, options?: unknown): Promise<unknown> {
    return this.#begin(SLEEP, NO_DESCRIPTOR, options, (operation, _fd, flags, timeout) => {
      checkMilliseconds('milliseconds', milliseconds)
      return this.#engine.native.sleep(operation.id, milliseconds, flags, timeout)
    })
  }

  /**
   * Opens a path, close-on-exec, and resolves to the descriptor's number, which is yours to close. `flags` as in
   * node:fs (default `'r'`), `mode` as the permission bits of a new file (default 0o666). It waits where open(2) does: a FIFO for its peer.
   *
   * Cancelled, it leaves no descriptor behind: either you get it, or it is closed. A file that O_CREAT made stays.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); ENOENT, EACCES, EMFILE, ... of open(2), with `path`.
   * @example
   * ```ts
   * const fd = await ring.open('/run/some.fifo', 'r', undefined, { timeout: 5000 })
   * ```
   */
  open<O extends OperationOptions>(
    path: string | Buffer | URL,
    flags?: OpenFlags,
    mode?: number,
    options?: O,
  ): Promise<Settles<number, O>>
  open(path: unknown, flags?: unknown, mode?: unknown, options?: unknown): Promise<unknown> {
    return this.#begin(OPEN, NO_DESCRIPTOR, options, (operation, _fd, bits, timeout) => {
      const { native } = this.#engine
      const { text, bytes } = pathOf(path)
      operation.given = text
      return native.open(operation.id, bytes, openFlags(flags), modeOf(mode), bits, timeout)
    })
  }

  /**
   * Cancels the ring's operations on a descriptor, and closes it. Takes no signal: it always closes, even if the ring is
   * full, closed or destroyed.
   *
   * A FileHandle, or another object with a `close` method, is closed by that; and in a worker thread, or in Deno, a number
   * that node:fs opened is closed by node:fs, which would otherwise close it once more later. What this library opened in a
   * worker has to be closed there, by this.
   *
   * @throws (as a rejection) TypeError and RangeError for what is no descriptor; EBADF and EIO of close(2).
   * @example
   * ```ts
   * const reading = ring.read(fd, { onCancel: 'resolve' })
   * await ring.closeFd(fd)
   * console.log((await reading) === CANCELLED)
   * ```
   */
  async closeFd(fd: FdLike): Promise<void> {
    const number = fdNumber(fd)
    const closeByOwner = ownersClose(fd, number)
    if (closeByOwner !== undefined) {
      this.#cancelEach(this.#engine.operations.on(fd, number))
      await closeByOwner()
    } else if (this.#engine.isFinished) {
      await closeWithoutRing(this.#engine.native, number)
    } else {
      await this.#closeNumber(fd, number)
    }
  }

  #closeNumber(fd: FdLike, number: number): Promise<unknown> {
    return this.#begin(CLOSE, fd, undefined, (operation) => {
      this.#cancelEach(this.#engine.operations.on(fd, number))
      // Before the call, behind which nothing may throw.
      noteClosed(number)
      return this.#engine.native.closeDescriptor(operation.id, number)
    })
  }

  /**
   * Brings a file's content and metadata to the disk. A cancel comes too late once the disk has begun: it then ends as if it
   * had not been cancelled.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); EBADF, EINVAL, EIO, ... of fsync(2).
   * @example
   * ```ts
   * await ring.write(fd, 'a line\n')
   * await ring.fsync(fd)
   * ```
   */
  fsync<O extends OperationOptions>(fd: FdLike, options?: O): Promise<Settles<void, O>>
  fsync(fd: FdLike, options?: unknown): Promise<unknown> {
    return this.#begin(FSYNC, fd, options, (operation, number, flags, timeout) =>
      this.#engine.native.sync(operation.id, number, 0, flags, timeout),
    )
  }

  /**
   * Brings a file's content to the disk, and of its metadata only what reading it needs. For the rest it is as
   * {@link fsync}, also when cancelled.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); those of fdatasync(2).
   * @example
   * ```ts
   * await ring.fdatasync(fd)
   * ```
   */
  fdatasync<O extends OperationOptions>(fd: FdLike, options?: O): Promise<Settles<void, O>>
  fdatasync(fd: FdLike, options?: unknown): Promise<unknown> {
    return this.#begin(FDATASYNC, fd, options, (operation, number, flags, timeout) =>
      this.#engine.native.sync(operation.id, number, 1, flags, timeout),
    )
  }

  /** Checks what all operations have in common, and submits what `submit` submits. */
  #begin(
    kind: Kind<Operation>,
    fd: FdLike,
    given: unknown,
    submit: (operation: Operation, fd: number, flags: number, timeout: number) => number,
  ): Promise<unknown> {
    try {
      const number = fdNumber(fd)
      const options = checkOptions(given)
      // A close is never refused.
      const early = kind === CLOSE ? undefined : this.#engine.refuseEarly(options)
      if (early !== undefined) return early
      const operation = this.#engine.begin(kind, number, fd, options)
      return this.#engine.submit(operation, () =>
        submit(operation, number, flagsOf(options), timeoutOf(options)),
      )
    } catch (error) {
      return this.#engine.refuse(error)
    }
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
      return this.#awaitAll(this.#cancelEach(this.#engine.operations.on(fd, fdNumber(fd))))
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
    return this.#awaitAll(this.#cancelEach(this.#engine.operations.all()))
  }

  #cancelEach(operations: Operation[], cause?: unknown): Operation[] {
    for (const operation of operations) {
      operation.expectAbort()
      this.#engine.cancel(operation, cause)
    }
    return operations
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
    if (this.#state === 'closed') throw closedError()
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
    if (!this.#engine.isFinished) this.#engine.native.setReferenced(1)
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
    if (!this.#engine.isFinished) this.#engine.native.setReferenced(0)
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
    if (this.#state === 'open') {
      this.#engine.close()
      this.#state = 'closing'
    }
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
    if (this.#state === 'open' || this.#state === 'closing') {
      this.#cancelEach(this.#engine.operations.all(), error)
      this.#engine.destroy()
      this.#state = 'destroying'
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

  #report(operation: StuckOperation): void {
    this.emit('stuck', operation)
  }

  #drained(): void {
    this.#finalStats = this.stats()
    this.#state = 'closed'
    this.#end()
  }

  /**
   * What console.log shows of a ring: its state and its counters.
   *
   * @internal
   */
  [inspect.custom](depth: number, options: InspectOptions): string {
    const state = this.#state
    return depth < 0 ? `Ring { ${state} }` : `Ring ${inspect({ state, ...this.stats() }, options)}`
  }
}

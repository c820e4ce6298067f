/** Descriptors that Node has no call for. Both are close-on-exec. */
import { checkBoolean, checkInteger, checkObject } from '../arguments/checks.js'
import { systemError } from '../errors.js'
import { requireBinding } from '../native/addon/unavailable.js'
import { noteOpened } from './owners.js'

const EFD_SEMAPHORE = 1
const O_NONBLOCK = 0o4000

/**
 * Options of {@link eventfd}.
 *
 * @example
 * ```ts
 * const permits = eventfd(3, { semaphore: true })
 * ```
 */
export interface EventfdOptions {
  /** A read takes one instead of all (default `false`). */
  semaphore?: boolean
  /**
   * Reads and writes by other means answer EAGAIN instead of blocking (default `false`). A ring's wait all the same
   * (measured on Linux 6.18; an old kernel may answer EAGAIN to a write without room: `poll` for POLLOUT there).
   */
  nonblocking?: boolean
}

/**
 * Makes an eventfd whose count starts at `initial` (0 to 4294967295), and returns its descriptor, which is yours to close. A
 * write of eight bytes adds to it; a read waits until it is not 0, takes all of it, and gives eight bytes.
 *
 * It needs the addon, but no io_uring.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`; {@link RingError} `ERR_IO_URING_UNAVAILABLE`
 *   without the addon; an Error with `code`, `errno` and `syscall` (EMFILE, ENFILE, ENOMEM) of the system's.
 * @example
 * ```ts
 * const fd = eventfd()
 * await ring.write(fd, new BigUint64Array([1n]))
 * const { buffer } = await ring.read(fd, new BigUint64Array(1))
 * await ring.closeFd(fd)
 * ```
 */
export function eventfd(initial = 0, options: EventfdOptions = {}): number {
  checkInteger('initial', initial, 0, 0xffff_ffff)
  checkObject(options)
  const { semaphore = false, nonblocking = false } = options
  checkBoolean('options.semaphore', semaphore)
  checkBoolean('options.nonblocking', nonblocking)
  const fd = requireBinding().eventfd(
    initial,
    (semaphore ? EFD_SEMAPHORE : 0) | (nonblocking ? O_NONBLOCK : 0),
  )
  if (fd < 0) throw systemError(fd, 'eventfd')
  return noteOpened(fd)
}

/**
 * Options of {@link pipe}.
 *
 * @example
 * ```ts
 * const { readFd, writeFd } = pipe({ nonblocking: true })
 * ```
 */
export interface PipeOptions {
  /**
   * Reads and writes by other means answer EAGAIN instead of blocking (default `false`). A ring's wait all the same
   * (measured on Linux 6.18; an old kernel may answer EAGAIN to a write without room: `poll` for POLLOUT there).
   */
  nonblocking?: boolean
}

/**
 * The ends of a {@link pipe}: descriptors, which are yours to close.
 *
 * @example
 * ```ts
 * const { readFd, writeFd }: PipeEnds = pipe()
 * ```
 */
export interface PipeEnds {
  /** The descriptor that what was written comes out of. */
  readFd: number
  /** The descriptor to write to. */
  writeFd: number
}

/**
 * Makes a pipe, and returns its two descriptors, which are yours to close. It needs the addon, but no io_uring.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`; {@link RingError} `ERR_IO_URING_UNAVAILABLE` without the addon; an Error with
 *   `code`, `errno` and `syscall` (EMFILE, ENFILE) of the system's.
 * @example
 * ```ts
 * const { readFd, writeFd } = pipe()
 * await ring.write(writeFd, 'text')
 * const { bytesRead } = await ring.read(readFd)
 * ```
 */
export function pipe(options: PipeOptions = {}): PipeEnds {
  checkObject(options)
  const { nonblocking = false } = options
  checkBoolean('options.nonblocking', nonblocking)
  const [readFd = -1, writeFd] = requireBinding().pipe(nonblocking ? O_NONBLOCK : 0)
  if (writeFd === undefined) throw systemError(readFd, 'pipe2')
  return { readFd: noteOpened(readFd), writeFd: noteOpened(writeFd) }
}

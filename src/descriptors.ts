/** Descriptors that Node has no call for. Both are close-on-exec. */
import { noteOpened } from './descriptor-owners.js'
import { systemError } from './errors.js'
import { checkBoolean, checkInteger, checkObject } from './requests.js'
import { requireBinding } from './unavailable.js'

const EFD_SEMAPHORE = 1
const O_NONBLOCK = 0o4000

/** Options of {@link eventfd}. */
export interface EventfdOptions {
  /** A read takes one instead of all (default `false`). */
  semaphore?: boolean
  /**
   * Reads and writes by other means answer EAGAIN instead of blocking (default `false`). A ring's reads wait all the
   * same; its writes fail with EAGAIN where there is no room, because Linux does not let them wait: `poll` for POLLOUT.
   */
  nonblocking?: boolean
}

/**
 * Makes an eventfd that starts at `initial`, and returns its descriptor, which is yours to close.
 *
 * ```ts
 * const fd = eventfd()
 * await ring.write(fd, new BigUint64Array([1n]))
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

/** Options of {@link pipe}. */
export interface PipeOptions {
  /**
   * Reads and writes by other means answer EAGAIN instead of blocking (default `false`). A ring's reads wait all the
   * same; its writes fail with EAGAIN where there is no room, because Linux does not let them wait: `poll` for POLLOUT.
   */
  nonblocking?: boolean
}

/** Makes a pipe, and returns its two descriptors, which are yours to close. */
export function pipe(options: PipeOptions = {}): { readFd: number; writeFd: number } {
  checkObject(options)
  const { nonblocking = false } = options
  checkBoolean('options.nonblocking', nonblocking)
  const [readFd = -1, writeFd] = requireBinding().pipe(nonblocking ? O_NONBLOCK : 0)
  if (writeFd === undefined) throw systemError(readFd, 'pipe2')
  return { readFd: noteOpened(readFd), writeFd: noteOpened(writeFd) }
}

/** The events of `ring.poll`, as in poll(2). */
export const PollEvents = {
  /** There is something to read. */
  POLLIN: 0x001,
  /** There is something urgent. */
  POLLPRI: 0x002,
  /** There is room to write. */
  POLLOUT: 0x004,
  /** There is an error; never asked for. */
  POLLERR: 0x008,
  /** The other end is closed; never asked for. */
  POLLHUP: 0x010,
} as const

/** What the native side answers instead of taking a submission, as errors. */
import { closedError, RingError, systemError } from '../errors.js'
import { Refusal } from './protocol.js'

/** The error of a submission that the native side refused. */
export function refusalError(answer: number, syscall: string): Error {
  switch (answer) {
    case Refusal.CLOSED:
      return closedError()
    case Refusal.QUEUE_FULL:
      return new RingError(
        'ERR_RING_QUEUE_FULL',
        "As many operations wait as the ring's queueLimit allows: await some, or make the ring with a larger queueLimit",
      )
    case Refusal.ARENA_FULL:
      return new RingError(
        'ERR_RING_ARENA_FULL',
        "The memory does not fit into the ring's arenaBytes: await some operations, let go of buffers that ring.alloc() or a read made, or make the ring with a larger arenaBytes",
      )
    case Refusal.BAD_ARGUMENT:
      return new RingError('ERR_INVALID_STATE', 'A buffer was detached or shrunk during the call')
    case Refusal.NOT_EXTERNAL:
      return new RingError(
        'ERR_RING_NO_EXTERNAL_MEMORY',
        "No ArrayBuffer on an addon's memory is to be had: this runtime allows none, as Electron, or workers that ended have left 32 MiB of it to those who may have been given it: use a Buffer of your own, which costs a copy",
      )
    case Refusal.TOO_MANY_OPENS:
      return new RingError(
        'ERR_RING_TOO_MANY_OPENS',
        '256 opens of FIFOs and devices wait on this thread already: open their other ends, cancel some, or open with O_NONBLOCK',
      )
    case Refusal.NO_PROCESS:
      return noThread('the limit of processes and threads of this user (RLIMIT_NPROC, ulimit -u) is reached')
    case Refusal.NO_PROCESS_OF_GROUP:
      return noThread("the control group's limit of processes and threads (pids.max) is reached")
    default:
      return systemError(answer, syscall)
  }
}

/** An open that may wait needs a thread of the kernel's to wait in. */
function noThread(why: string): RingError {
  return new RingError(
    'ERR_RING_NO_THREAD',
    `No thread can be had for an open that may wait: ${why}. Raise it, or open with O_NONBLOCK what takes that`,
  )
}

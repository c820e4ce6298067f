/** What is said between the matrix and the process of the ring: one JSON text a line. */
import type { OperationName, Subject } from './operations.js'

export type CancelWay = 'cancel' | 'signal' | 'timeout' | 'closeFd' | 'destroy'

/** Who does an operation in the process of the ring. */
export type Doer = 'ring' | 'node:fs'

export type Request =
  /** Takes the descriptor that was sent, and makes a ring. */
  | {
      do: 'prepare'
      fileSize?: number | undefined
      blockSignal?: number | undefined
      inherited?: number | undefined
      ignores?: number[] | undefined
      /** How long `destroy` waits, in milliseconds. */
      drainTimeout: number
      /** Who does the operations. */
      by: Doer
      /** How process.stdin is used meanwhile. */
      besideStdin?: boolean | undefined
    }
  | { do: 'begin'; operation: OperationName; subject: Subject }
  | { do: 'cancel'; way: CancelWay }
  | { do: 'look' }
  | { do: 'finish' }

/** How an operation ended. */
export interface Settled {
  /** A count, a mask, the name of an errno, `cancelled`, or a code of the library's own. */
  result: string
  /** What was read. */
  data: string
  /** From the call, or from the event that ended it, to the settling, on the clock that all processes of a machine share. */
  at: number
}

export interface Prepared {
  fd: number
}

/** What can be seen of an operation that waits. */
export interface Look {
  inFlight: number
  /** The kernel's numbers of operations whose poll is armed: fdinfo of the ring. */
  armed: number[]
  /** Whether one of the kernel's workers is in an operation. */
  workers: number
}

export interface Finished {
  /** The longest time in which no timer of a millisecond fired. */
  gap: number
  /** The longest system call in which the thread slept, other than the event loop's own. */
  held: number
  /** How often workers of the kernel ran since `prepare`. */
  workers: number
  /** The same of the library's threads that close. */
  closers: number
}

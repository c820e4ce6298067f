/** What is told to `node:diagnostics_channel`. */
import { channel } from 'node:diagnostics_channel'

import type { NativeReport } from '../native/native-functions.js'
import type { Operation } from './operation.js'

/**
 * An operation that outlived `stuckAfter` after its cancellation was asked for: the ring's event `stuck` has it, and the
 * channel `uring-safe-cancel:stuck` of node:diagnostics_channel. It is still tracked, and cancelled again and again; it
 * is reported once.
 *
 * @example
 * ```ts
 * ring.on('stuck', ({ operation, fd, attempts, after }) => {
 *   console.warn(`the ${operation} on descriptor ${fd} did not end within ${after} ms, nor by ${attempts} cancels`)
 * })
 * ```
 */
export interface StuckOperation {
  /** Its kind, as `syscall` of an error has it. */
  operation: string
  /** Its descriptor's number, if it has one. */
  fd: number | undefined
  /** How many cancels were issued so far. */
  attempts: number
  /** What the last answered one said: a negative errno (-2 ENOENT, -114 EALREADY, …), or 0 or more. */
  lastAnswer: number | undefined
  /** The time since its cancellation was asked for, in milliseconds: the ring's `stuckAfter`. */
  after: number
  /** The promise of the operation, as its call returned it. */
  promise: Promise<unknown>
}

/** Subscribers get a {@link StuckOperation}. */
const stuck = channel('uring-safe-cancel:stuck')

/** Publishes a report, and gives it back as the ring's event has it. */
export function publishStuck(operation: Operation, report: NativeReport): StuckOperation {
  const [, name, fd, attempts, answer, after] = report
  const message: StuckOperation = {
    operation: name,
    fd: fd < 0 ? undefined : fd,
    attempts,
    lastAnswer: answer === 1 ? undefined : answer,
    after,
    promise: operation.promise,
  }
  if (stuck.hasSubscribers) stuck.publish(message)
  return message
}

/** What kinds of operations there are is their own affair: the engine knows this of each. */

/** Settles an operation whose result is there. False if its bytes are still to be copied, in pieces. */
export type Complete<Operation> = (
  operation: Operation,
  result: number,
  status: number,
  attempts: number,
) => boolean

interface Traits {
  /** Whether a cancel reaches it (default `true`). */
  isCancellable?: boolean
  /** Whether its errors name the path that it was called with (default `false`). */
  hasPath?: boolean
}

/** A class, and its optional traits are fields all the same: kinds of several shapes would cost each completion a look-up. */
export class Kind<Operation> {
  /** The system call, as errors name it. */
  readonly syscall: string
  readonly complete: Complete<Operation>
  readonly isCancellable: boolean
  readonly hasPath: boolean

  constructor(syscall: string, complete: Complete<Operation>, traits: Traits = {}) {
    this.syscall = syscall
    this.complete = complete
    this.isCancellable = traits.isCancellable ?? true
    this.hasPath = traits.hasPath ?? false
  }
}

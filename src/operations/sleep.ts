/** Time, by the kernel's own timer. */
import { checkMilliseconds } from '../arguments/checks.js'
import { checkOptions, type OperationOptions, type Settles } from '../arguments/options.js'
import { engineOf } from '../engine/engine-of.js'
import { Kind } from '../engine/kind.js'
import { NO_DESCRIPTOR } from '../engine/operation.js'
import { completeNothing } from '../engine/verdicts.js'
import { Code } from '../native/protocol.js'
import { submit } from '../native/rare-calls.js'

const SLEEP = new Kind('sleep', completeNothing)

export abstract class SleepOperation {
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
    const engine = engineOf(this)
    try {
      const checked = checkOptions(options)
      const early = engine.refuseEarly(checked)
      if (early !== undefined) return early
      checkMilliseconds('milliseconds', milliseconds)
      const operation = engine.begin(SLEEP, NO_DESCRIPTOR, undefined, checked)
      const answer = submit(engine.native, operation, Code.SLEEP, { first: milliseconds })
      if (answer >= 0 && operation.cancellation === undefined) return operation.promise
      return engine.answered(operation, answer)
    } catch (error) {
      return engine.refuse(error)
    }
  }
}

/** Nothing, by way of the kernel. */
import { checkOptions, type OperationOptions, type Settles } from '../arguments/options.js'
import { engineOf } from '../engine/engine-of.js'
import { Kind } from '../engine/kind.js'
import { NO_DESCRIPTOR } from '../engine/operation.js'
import { completeNothing } from '../engine/verdicts.js'
import { nop } from '../native/hot-calls.js'

const NOP = new Kind('nop', completeNothing)

export abstract class NopOperation {
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
  nop(options?: unknown): Promise<unknown> {
    const engine = engineOf(this)
    try {
      const checked = checkOptions(options)
      const early = engine.refuseEarly(checked)
      if (early !== undefined) return early
      const operation = engine.begin(NOP, NO_DESCRIPTOR, undefined, checked)
      const answer = nop(engine.native, operation)
      if (answer >= 0 && operation.cancellation === undefined) return operation.promise
      return engine.answered(operation, answer)
    } catch (error) {
      return engine.refuse(error)
    }
  }
}

/** AbortSignals: one listener for each signal, however many operations hang on it, and none left behind. */
import { addAbortListener } from 'node:events'

/** What a signal can stop. */
export interface Abortable {
  cancel(reason: unknown): void
}

class Watch {
  readonly operations = new Set<Abortable>()
  readonly #signal: AbortSignal
  readonly #listener: Disposable

  constructor(signal: AbortSignal) {
    this.#signal = signal
    // Not addEventListener: whoever listens before may stop the event.
    this.#listener = addAbortListener(signal, () => this.#abort())
  }

  #abort(): void {
    const reason = reasonOf(this.#signal)
    watches.delete(this.#signal)
    for (const operation of this.operations) operation.cancel(reason)
    this.operations.clear()
  }

  stop(): void {
    watches.delete(this.#signal)
    this.#listener[Symbol.dispose]()
  }
}

/** Why a signal aborted. Its program may have put a getter there: what that throws is the reason then. */
export function reasonOf(signal: AbortSignal): unknown {
  try {
    return signal.reason
  } catch (error) {
    return error
  }
}

const watches = new WeakMap<AbortSignal, Watch>()

/** Cancels the operation when the signal aborts. */
export function watchSignal(signal: AbortSignal, operation: Abortable): void {
  let watch = watches.get(signal)
  if (watch === undefined) {
    watch = new Watch(signal)
    watches.set(signal, watch)
  }
  watch.operations.add(operation)
}

/** The operation has settled. */
export function unwatchSignal(signal: AbortSignal, operation: Abortable): void {
  const watch = watches.get(signal)
  if (watch === undefined || !watch.operations.delete(operation)) return
  if (watch.operations.size === 0) watch.stop()
}

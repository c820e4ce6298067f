/** One call on a ring, and whether what became of it is one of the ends that the contract names. */
import { AbortError, CANCELLED, InvalidStateError, TimeoutError } from 'uring-safe-cancel'
import type { CancelResult, OperationOptions, Ring, RingOptions } from 'uring-safe-cancel'

/** Logical time: each call, and each settlement as the program sees it, has a moment of its own. */
export class Clock {
  #now = 0

  tick(): number {
    this.#now += 1
    return this.#now
  }
}

/** What no ring may do. They are collected, because a promise's handler cannot fail a test by itself. */
export class Violations {
  readonly #words: string[] = []

  add(words: string): void {
    this.#words.push(words)
  }

  check(holds: boolean, words: string): void {
    if (!holds) this.add(words)
  }

  throwIfAny(): void {
    if (this.#words.length > 0) throw new Error(this.#words.join('\n'))
  }
}

/** The options of a call, without what belongs to one run. */
export interface How {
  async: boolean
  onCancel: 'reject' | 'resolve'
  signal: 'none' | 'own' | 'shared'
  timeout: number | undefined
}

/** A timeout of so many milliseconds is waited for; longer ones are there to be overtaken. */
const SOON = 1

/** A ring, and the calls on it. */
export interface RingLife {
  ring: Ring
  options: RingOptions
  calls: Call[]
  /** Resolves at its end, if that was asked for. */
  ending: Promise<void>
}

/** What a call delivers: a count for reads and writes, and for reads whose buffer was taken away the bytes. */
export type Deliver = (value: unknown, rescued: Buffer | undefined) => void

export interface Begin {
  name: string
  /** The descriptor that it works on, if it has one. */
  on?: number
  how: How
  begin: (ring: Ring, options: OperationOptions) => Promise<unknown>
  deliver?: Deliver
  /** Whether it may fail with this code, when it does. */
  mayFail?: (code: string) => boolean
}

export class Call {
  readonly name: string
  readonly on: number | undefined
  readonly how: How
  readonly life: RingLife
  readonly begun: number
  readonly promise: Promise<unknown>
  /** Resolves when the promise has settled and was judged. */
  readonly judged: Promise<void>
  readonly controller = new AbortController()
  /** When it settled. */
  ended = Infinity
  fate: 'pending' | 'completed' | 'cancelled' | 'failed' = 'pending'
  /** Whether the ring never took it. */
  isRefused = false
  /** Whether its destination was transferred away in flight. */
  isTransferred = false
  /** The causes of the cancels that were asked for. */
  readonly #causes = new Set<unknown>()
  readonly #clock: Clock
  readonly #violations: Violations

  constructor(
    life: RingLife,
    clock: Clock,
    violations: Violations,
    shared: AbortController,
    { name, on, how, begin, deliver = () => {}, mayFail = () => false }: Begin,
  ) {
    this.name = `${name} ${life.calls.length}`
    this.on = on
    this.how = how
    this.life = life
    this.#clock = clock
    this.#violations = violations
    const signals = { none: undefined, own: this.controller.signal, shared: shared.signal }
    const signal = signals[how.signal]
    if (signal?.aborted === true) {
      this.isRefused = true
      this.ask(signal.reason)
    }
    this.begun = clock.tick()
    const { async, onCancel, timeout } = how
    this.promise = begin(life.ring, { async, onCancel, signal, timeout })
    life.calls.push(this)
    this.judged = this.promise
      .then(
        (value) => this.#fulfilled(value, deliver),
        (error: unknown) => this.#rejected(error, deliver, mayFail),
      )
      .catch((error: unknown) => violations.add(`${this.name}: ${String(error)}`))
  }

  /** Whether its cancellation was asked for. */
  get wasAsked(): boolean {
    return this.#causes.size > 0
  }

  /** Whether it must end although nothing else happens. */
  get mustEnd(): boolean {
    const { timeout } = this.how
    return this.wasAsked || (timeout !== undefined && timeout <= SOON)
  }

  /** Its cancellation is asked for. */
  ask(cause: unknown): void {
    this.#causes.add(cause)
  }

  /** Cancels it through the ring; what the cancel says must be what became of it. */
  async cancel(): Promise<void> {
    this.ask(undefined)
    const result: CancelResult = await this.life.ring.cancel(this.promise)
    await this.judged
    this.#violations.check(
      result.outcome === this.fate,
      `${this.name}: its cancel says ${result.outcome}, but it was ${this.fate}`,
    )
  }

  #end(fate: Call['fate']): void {
    this.#violations.check(this.fate === 'pending', `${this.name}: settled twice`)
    this.ended = this.#clock.tick()
    this.fate = fate
  }

  #fulfilled(value: unknown, deliver: Deliver): void {
    const isCancelled = value === CANCELLED
    this.#end(isCancelled ? 'cancelled' : 'completed')
    if (!isCancelled) deliver(value, undefined)
    else this.#checkCancelled('resolve')
  }

  #rejected(error: unknown, deliver: Deliver, mayFail: (code: string) => boolean): void {
    if (error instanceof AbortError) {
      this.#end('cancelled')
      this.#checkCancelled('reject')
      const { cause } = error
      this.#violations.check(this.#causes.has(cause), `${this.name}: nobody gave the cause ${String(cause)}`)
      return
    }
    if (error instanceof TimeoutError) {
      this.#end('cancelled')
      this.#violations.check(
        this.how.timeout !== undefined && this.how.onCancel === 'reject',
        `${this.name}: ${error.message}, but it had no timeout`,
      )
      return
    }
    this.#end('failed')
    if (error instanceof InvalidStateError) {
      this.#violations.check(this.isTransferred, `${this.name}: nobody took its buffer away`)
      this.#violations.check(error.bytesRead === error.data.length, `${this.name}: the error lacks bytes`)
      deliver({ bytesRead: error.bytesRead }, error.data)
      return
    }
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const { queueLimit, arenaBytes } = this.life.options
    const isRefusal =
      (code === 'ERR_RING_QUEUE_FULL' && queueLimit !== undefined) ||
      (code === 'ERR_RING_ARENA_FULL' && arenaBytes !== undefined)
    if (isRefusal) this.isRefused = true
    this.#violations.check(isRefusal || mayFail(code), `${this.name}: failed with ${String(error)}`)
  }

  #checkCancelled(onCancel: 'reject' | 'resolve'): void {
    const { how, name } = this
    this.#violations.check(how.onCancel === onCancel, `${name}: cancelled, but not by ${how.onCancel}`)
    const wasAsked = this.#causes.size > 0 || (onCancel === 'resolve' && how.timeout !== undefined)
    this.#violations.check(wasAsked, `${name}: cancelled, but nobody asked for that`)
  }
}

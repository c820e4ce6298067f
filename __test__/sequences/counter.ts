/** The model of an eventfd: what was added, and what was taken. */
import type { Violations } from './calls.js'

/** The most that an eventfd holds. */
export const COUNTER_MOST = 0xffff_ffff_ffff_fffen

export class CounterModel {
  readonly isSemaphore: boolean
  #offered: bigint
  #added: bigint
  #taken = 0n

  constructor(initial: number, isSemaphore: boolean) {
    this.isSemaphore = isSemaphore
    this.#offered = BigInt(initial)
    this.#added = this.#offered
  }

  /** A write begins. */
  offer(amount: bigint): void {
    this.#offered += amount
  }

  /** A write completed. */
  added(amount: bigint): void {
    this.#added += amount
  }

  /** A read completed. */
  took(violations: Violations, amount: bigint): void {
    this.#taken += amount
    violations.check(amount > 0n, 'a read of an eventfd gave 0')
    violations.check(!this.isSemaphore || amount === 1n, `a read of a semaphore gave ${amount}`)
    violations.check(
      this.#taken <= this.#offered,
      `an eventfd gave ${this.#taken}, but no more than ${this.#offered} was ever added`,
    )
  }

  /** Checks the sum, when all calls have ended. `left`: the eventfd's number now, if it is open. */
  verify(violations: Violations, left: bigint | undefined): void {
    const isWhole = left === undefined ? this.#taken <= this.#added : this.#taken + left === this.#added
    const words = `an eventfd was given ${this.#added}, and gave ${this.#taken}, with ${left ?? 'nobody knows what'} left`
    violations.check(isWhole, words)
  }
}

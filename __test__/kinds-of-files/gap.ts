/** How long the event loop stood still. */
import type { ExecutionContext } from 'ava'

/** Between two looks, in milliseconds. */
const INTERVAL = 10

/**
 * A machine that is busy with something else keeps a loop for less, and what a test lets wait holds it for {@link HOLD}, or
 * until it is killed.
 */
export const LONGEST_GAP = 1000

/** After so many milliseconds a test ends what somebody waits for, so that it ends on a ring that waits for it, too. */
export const HOLD = 4000

/** Watches until {@link Gap.end}. */
export class Gap {
  longest = 0
  #last = performance.now()
  readonly #timer = setInterval(() => this.#look(), INTERVAL)

  #look(): void {
    const now = performance.now()
    this.longest = Math.max(this.longest, now - this.#last)
    this.#last = now
  }

  /** The longest time between two turns of the loop, this one among them. */
  end(): number {
    this.#look()
    clearInterval(this.#timer)
    return this.longest
  }
}

/** Fails if the event loop stood still while `what` ran, and says for how long it did. */
export async function isFree<Result>(
  t: ExecutionContext,
  name: string,
  what: () => Promise<Result>,
): Promise<Result> {
  const gap = new Gap()
  const begun = performance.now()
  try {
    return await what()
  } finally {
    const longest = gap.end()
    const took = performance.now() - begun
    t.log(`${name}: the loop stood still for ${longest.toFixed()} ms at most, in ${took.toFixed()} ms`)
    t.true(longest < LONGEST_GAP, `${name}: the loop stood still for ${longest.toFixed()} ms`)
  }
}

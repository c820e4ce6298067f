/** The offsets' random numbers: xorshift of 32 bits, the same as the floor's. */
export class Random {
  #state: number

  /** From any seed but zero. */
  constructor(seed: number) {
    this.#state = seed
  }

  /** An integer below `bound`. */
  below(bound: number): number {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state
    return (state >>> 0) % bound
  }
}

/** Any seed, the same in each run. */
export const SEED = 0x9e_37_79_b9

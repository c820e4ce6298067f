/**
 * How many slabs a program may hold. A few bytes that it keeps of one read keep the slab, which sixteen reads share: whoever
 * keeps something of every sixteenth would hold sixteen times what he would with node:fs.
 *
 * Nobody hears which results are kept, only which slabs the garbage collection has freed. So a program gets few slabs until
 * some have come back, and as many as it likes then, for as long as they go on coming back. What is read beyond is copied into
 * memory of its own.
 */

/** As many as a program gets that may keep them: little beside what a process of Node has, and 256 reads of 16 KiB. */
const FEW_BYTES = 4 << 20
/** So many slabs are made in between two judgements. V8 collects garbage after 32 MiB outside of its heap, or soon after. */
const JUDGED_SLABS = 256

export class SlabLimit {
  readonly #slabBytes: number
  readonly #most: number
  #isTrusted = false
  #wasRefused = false
  #lowest = Number.POSITIVE_INFINITY
  #made = 0
  /** Bytes to be read until it is worth asking for a slab again. */
  #pause = 0

  /** `most`: what is never exceeded. */
  constructor(slabBytes: number, most: number) {
    this.#slabBytes = slabBytes
    this.#most = most
  }

  /** How many bytes the slabs may have, with one more; 0 if it is not worth asking now. `bytes`: what is to be read. */
  limitFor(bytes: number): number {
    if (this.#pause > 0) {
      this.#pause -= bytes
      return 0
    }
    return this.#isTrusted ? this.#most : Math.min(FEW_BYTES, this.#most)
  }

  /** A slab was made, beside so many bytes of others. */
  made(held: number): void {
    if (this.#wasRefused && held <= FEW_BYTES / 2) this.#isTrusted = true
    this.#wasRefused = false
    this.#lowest = Math.min(this.#lowest, held)
    this.#made += 1
    if (this.#made < JUDGED_SLABS) return
    if (this.#lowest > FEW_BYTES) this.#isTrusted = false
    this.#made = 0
    this.#lowest = Number.POSITIVE_INFINITY
  }

  /** There was none. */
  refused(): void {
    this.#wasRefused = true
    this.#pause = this.#slabBytes
  }
}

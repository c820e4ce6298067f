/** Counting what comes out of a device. */
import { setTimeout as delay } from 'node:timers/promises'

/** After that much silence nothing more will come. */
const QUIET_MILLISECONDS = 300
/** A line of 9600 baud delivers what a row writes in less. */
const MOST_MILLISECONDS = 20_000
const LOOK_MILLISECONDS = 20

/** What all rows write: byte n of it is n modulo this prime, so that whatever is lost or swapped shows. */
export const PATTERN = 251

export class Arrivals {
  #count = 0
  #isIntact = true
  #lastAt = 0

  take(piece: Buffer): void {
    this.#isIntact &&= piece.every((byte, index) => byte === (this.#count + index) % PATTERN)
    this.#count += piece.length
    this.#lastAt = performance.now()
  }

  /** Waits for so many bytes, and some silence: what is too many has to be seen as well. Then it begins to count anew. */
  async received(bytes: number): Promise<string> {
    const start = performance.now()
    const isQuiet = () => performance.now() - Math.max(this.#lastAt, start) > QUIET_MILLISECONDS
    while (!(this.#count >= bytes && isQuiet()) && performance.now() - start < MOST_MILLISECONDS) {
      await delay(LOOK_MILLISECONDS)
    }
    const answer = `${this.#count} ${this.#isIntact ? 'intact' : 'damaged'}`
    this.#count = 0
    this.#isIntact = true
    return answer
  }
}

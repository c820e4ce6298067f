/** The line that shows a run's progress in a terminal. */
import type { WriteStream } from 'node:tty'

import type { Mode, Scenario } from './scenario.js'

/** Of terminals that do not tell theirs. */
const DEFAULT_WIDTH = 80
/** Clears the line and returns to its begin. */
const CLEAR = '\r\u001B[K'

/** Rewrites one line of a terminal, and leaves nothing behind; does nothing where there is no terminal. */
export class ProgressLine {
  readonly #stream: WriteStream
  #isShown = false

  constructor(stream: WriteStream) {
    this.#stream = stream
  }

  show(scenario: Scenario, mode: Mode, milliseconds: number, rounds: number, lost: number): void {
    if (!this.#stream.isTTY) return
    const limit = scenario.seconds === undefined ? '' : ` of ${scenario.seconds}`
    const lostNow = lost === 0 ? '' : `, ${lost} lost`
    const text = `  ${mode}: ${(milliseconds / 1000).toFixed(0)}${limit} s, ${rounds.toLocaleString('en-US')} rounds${lostNow}`
    // A line that wraps could not be cleared.
    const width = this.#stream.columns > 0 ? this.#stream.columns : DEFAULT_WIDTH
    this.#stream.write(CLEAR + text.slice(0, width - 1))
    this.#isShown = true
  }

  /** Makes room for something else. */
  clear(): void {
    if (this.#isShown) this.#stream.write(CLEAR)
    this.#isShown = false
  }
}

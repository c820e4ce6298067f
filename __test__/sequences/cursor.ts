/**
 * The model of a file at whose current position calls read or write: they run one at a time, in the order of their
 * calls, and those that were cancelled move nothing.
 */
import type { Violations } from './calls.js'

interface Step {
  /** What it read or wrote, in numbers; nothing if it was cancelled. */
  numbers: number[]
  /** Whether it completed. */
  isDone: boolean
}

export class CursorModel {
  readonly #steps: Step[] = []

  /** A call, in the order of calls; the function tells what it read or wrote. */
  step(): (numbers: number[]) => void {
    const step: Step = { numbers: [], isDone: false }
    this.#steps.push(step)
    return (numbers) => {
      step.numbers = numbers
      step.isDone = true
    }
  }

  /** Checks that the calls went over `content`, one after the other. `isWhole`: they wrote it, so over all of it. */
  verify(violations: Violations, content: number[], isWhole: boolean): number {
    let position = 0
    for (const { numbers, isDone } of this.#steps) {
      const expected = content.slice(position, position + numbers.length)
      const isRight =
        expected.length === numbers.length && expected.every((word, index) => word === numbers[index])
      violations.check(isRight, `at ${position} of a file came ${numbers.slice(0, 3).join()}, out of order`)
      const isEarlyEnd = isDone && numbers.length === 0 && position < content.length
      violations.check(isWhole || !isEarlyEnd, `an end of file at ${position}`)
      position += numbers.length
    }
    violations.check(
      !isWhole || position === content.length,
      `the file has ${content.length} numbers, not ${position}`,
    )
    return position
  }
}

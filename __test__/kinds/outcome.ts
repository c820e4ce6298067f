/** What is seen of one cell, done in one way. */
import type { Look } from './messages.js'

export interface Outcome {
  /** A count, a mask, an errno's name, `cancelled`, `never` (it did not end), or `frozen` (its process did not answer). */
  result: string
  /** What was read. */
  data: string
  /** The result of the second time. */
  second: string
  didWait: boolean
  /** What the other side got, or what the file has. */
  taken: string
  position: string
  /** What a following read finds. */
  next: string
  /** From what ended it to its end, in milliseconds. */
  milliseconds: number
  /** The longest time in which no timer fired, in milliseconds. */
  gap: number
  /** The longest single system call in which the ring's thread slept, in milliseconds. */
  held: number
  /** What was seen as it waited. */
  look: Look | undefined
  /** How often workers of the kernel ran. */
  workers: number
  /** The same of the library's threads that close. */
  closers: number
  /** In a race: how often the result was there first, and how often the cancel. */
  met: { completed: number; cancelled: number } | undefined
}

export function emptyOutcome(): Outcome {
  return {
    result: 'never',
    data: '-',
    second: '',
    didWait: false,
    taken: '',
    position: '',
    next: '',
    milliseconds: 0,
    gap: 0,
    held: 0,
    look: undefined,
    workers: 0,
    closers: 0,
    met: undefined,
  }
}

/** Where in a file. */
import { invalidType, outOfRange } from '../errors.js'
import { CURRENT_POSITION } from '../native/protocol.js'

/** A position in a file, or {@link CURRENT_POSITION}. */
export function positionOf(position: unknown): number {
  if (position === null || position === undefined) return CURRENT_POSITION
  const number = typeof position === 'bigint' ? Number(position) : position
  if (typeof number !== 'number') throw invalidType('position', 'a number, a bigint or null', position)
  if (!Number.isSafeInteger(number) || number < CURRENT_POSITION) {
    throw outOfRange('position', `an integer >= -1 and <= ${Number.MAX_SAFE_INTEGER}`, position)
  }
  return number
}

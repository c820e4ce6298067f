/** What has a descriptor. */
import { invalidType, outOfRange } from '../errors.js'

/** The kernel's own type for them is a signed int. */
const MAX_NUMBER = 0x7fff_ffff

/**
 * A descriptor's number, or anything that has one: a FileHandle, a socket's handle, … The object is held while an operation
 * on it is in flight, so that its collection cannot close it.
 *
 * @example
 * ```ts
 * const file = await open('/etc/hostname')
 * const { bytesRead } = await ring.read(file)
 * await ring.closeFd(file)
 * ```
 */
export type FdLike =
  | number
  | {
      /** The number, 0 or more. -1, as a closed FileHandle has it, rejects with EBADF. */
      readonly fd: number
    }

/** The number of a descriptor. -1 for an object that is closed. */
export function fdNumber(fd: unknown): number {
  if (typeof fd === 'number' && Number.isInteger(fd) && fd >= 0 && fd <= MAX_NUMBER) return fd
  const number = typeof fd === 'object' && fd !== null && 'fd' in fd ? fd.fd : fd
  if (typeof number !== 'number')
    throw invalidType('fd', 'a number, a FileHandle or an object with a numeric fd', fd)
  // A closed FileHandle has -1: the kernel's EBADF says it best.
  if (number === -1 && number !== fd) return number
  if (!Number.isInteger(number) || number < 0 || number > MAX_NUMBER) {
    throw outOfRange('fd', `an integer >= 0 and <= ${MAX_NUMBER}`, number)
  }
  return number
}

/** What rows write, and the words for what they see. */
import { PATTERN } from '../arrivals.js'
import type { Result, Way } from '../row.js'

const MOST_BYTES = 8 << 20
let all: Buffer | undefined

/** So many bytes of what the other end knows to expect. */
export function pattern(length: number): Buffer {
  // Once: an emulated processor takes its time, which is not to be measured.
  all ??= Buffer.alloc(
    MOST_BYTES,
    Uint8Array.from({ length: PATTERN }, (_, index) => index),
  )
  return all.subarray(0, length)
}

/** What was read, as text, or the error. */
export function read({ bytes, error }: Result): string {
  return error ?? (bytes.length === 0 ? 'nothing, the end' : JSON.stringify(bytes.toString('latin1')))
}

/** How much was written, or the error. */
export function written({ count, error }: Result, of: number): string {
  if (error !== undefined) return error
  return count === of ? 'all' : count > 0 ? 'a part' : 'nothing'
}

/** Reads until so many bytes are there, or something ends it: devices deliver in pieces. */
export async function readAll(way: Way, fd: number, length: number): Promise<Result> {
  const pieces: Buffer[] = []
  let rest = length
  while (rest > 0) {
    const result = await way.read(fd, rest)
    if (result.error !== undefined || result.count === 0) {
      return { ...result, bytes: Buffer.concat([...pieces, result.bytes]) }
    }
    pieces.push(result.bytes)
    rest -= result.count
  }
  return { count: length, bytes: Buffer.concat(pieces) }
}

/** What an open came to. */
export async function opened(way: Way, open: Promise<number>): Promise<{ fd?: number; outcome: string }> {
  try {
    return { fd: await open, outcome: 'opened' }
  } catch (error) {
    const { name, code } = error as NodeJS.ErrnoException
    const isCancel = name === 'TimeoutError' || name === 'AbortError'
    return { outcome: isCancel ? name : (code ?? `${way.name}: ${String(error)}`) }
  }
}

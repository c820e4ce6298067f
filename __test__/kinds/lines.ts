/** The lines of a socket, whose other side may be killed at any time. */
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'

export function eachLine(stream: Duplex, take: (line: string) => void): void {
  // An interface hands the errors of its stream on.
  const nothing = () => {}
  stream.on('error', nothing)
  createInterface({ input: stream }).on('error', nothing).on('line', take)
}

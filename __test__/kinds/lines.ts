/** The lines of a socket, whose other side may be killed at any time. */
import type { Duplex } from 'node:stream'

/** Calls with each line, until what it returns is called. Several may listen to one socket. */
export function eachLine(stream: Duplex, take: (line: string) => void): () => void {
  let rest = ''
  const onData = (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  }
  stream.on('error', () => {})
  stream.on('data', onData)
  return () => stream.off('data', onData)
}

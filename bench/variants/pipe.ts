/** Reads of one byte from one pipe: of bytes that are there, or of such as come when all the reads wait for them. */
import { loadLibrary, makeRing, type Ring } from '../library.js'
import type { Settings } from '../protocol.js'
import { Fifo, inFifo } from './fifo.js'
import { expect, type Program, promiseLanes, timed } from './program.js'

export async function pipe(settings: Settings): Promise<Program> {
  const ring = makeRing(await loadLibrary(settings), settings)
  const fifo = settings.opened === true ? new Fifo(await inFifo((path) => ring.open(path, 'r+'))) : new Fifo()
  const buffers: Buffer[] = []
  const prepare = (concurrency: number) => {
    while (buffers.length < concurrency) buffers.push(ring.alloc(1))
  }
  const run = settings.there === true ? ofBytesThere(ring, fifo, buffers) : ofBytesToCome(ring, fifo, buffers)
  return { prepare, run }
}

const NONE = Buffer.alloc(0)
const RESOLVED = Promise.resolve()

function ofBytesThere(ring: Ring, fifo: Fifo, buffers: readonly Buffer[]): Program['run'] {
  let [promised, got] = [0, 0]
  const run = promiseLanes(
    (lane) => {
      promised += fifo.take()
      return ring.read(fifo.fd, buffers[lane] ?? NONE, 0, 1)
    },
    (lane, { bytesRead }) => {
      if (bytesRead !== 1) expect('bytes read', bytesRead, 1)
      got += buffers[lane]?.[0] ?? 0
    },
  )
  return async (...slice) => {
    const nanoseconds = await run(...slice)
    // Which lane gets which byte is open; that each is got once is not.
    expect('the sum of the bytes', got, promised)
    return nanoseconds
  }
}

function ofBytesToCome(ring: Ring, fifo: Fifo, buffers: readonly Buffer[]): Program['run'] {
  const batch = async (count: number): Promise<void> => {
    const reads = Array.from({ length: count }, (_, lane) => ring.read(fifo.fd, buffers[lane] ?? NONE, 0, 1))
    // The flush is a microtask that stands before this one: after it all reads are in the kernel.
    await RESOLVED
    const sum = fifo.write(count)
    let got = 0
    for (const [lane, { bytesRead }] of (await Promise.all(reads)).entries()) {
      if (bytesRead !== 1) expect('bytes read', bytesRead, 1)
      got += buffers[lane]?.[0] ?? 0
    }
    expect('the sum of the bytes', got, sum)
  }
  return (concurrency, operations) =>
    timed(async () => {
      for (let left = operations; left > 0; left -= concurrency) await batch(Math.min(concurrency, left))
    })
}

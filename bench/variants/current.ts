/** Reads of a file of numbered blocks at the file's own position, one after the other. */
import { closeSync, fstatSync, openSync } from 'node:fs'

import { BLOCK } from '../files.js'
import { loadLibrary, makeRing } from '../library.js'
import type { Settings } from '../protocol.js'
import { expect, type Program, promiseLanes } from './program.js'

export async function current(settings: Settings): Promise<Program> {
  const { path = '' } = settings
  const ring = makeRing(await loadLibrary(settings), settings)
  const none = Buffer.alloc(0)
  const buffers: Buffer[] = []
  // Reads of theirs may not have reached the kernel yet: they are closed between two slices.
  const read: number[] = []
  let fd = openSync(path, 'r')
  const blocks = fstatSync(fd).size / BLOCK
  let [next, wanted, got] = [0, 0, 0]
  const run = promiseLanes(
    (lane) => {
      if (next === blocks) {
        read.push(fd)
        fd = openSync(path, 'r')
        next = 0
      }
      wanted += next
      next += 1
      return ring.read(fd, buffers[lane] ?? none, 0, BLOCK)
    },
    (lane, { bytesRead }) => {
      if (bytesRead !== BLOCK) expect('bytes read', bytesRead, BLOCK)
      got += buffers[lane]?.readUInt32LE(0) ?? 0
    },
  )
  return {
    prepare: (concurrency) => {
      while (buffers.length < concurrency) buffers.push(ring.alloc(BLOCK))
      for (const one of read.splice(0)) closeSync(one)
    },
    run: async (...slice) => {
      const nanoseconds = await run(...slice)
      // Which lane gets which block is open; that each is got once is not.
      expect('the sum of the blocks', got, wanted)
      return nanoseconds
    },
  }
}

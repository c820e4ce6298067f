/** A FIFO read that an AbortSignal really stops, beside what node:fs does with the same signal. */
import { execFileSync } from 'node:child_process'
import { constants, mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Ring } from 'uring-safe-cancel'

const directory = mkdtempSync(join(tmpdir(), 'example-'))
const path = join(directory, 'fifo')
execFileSync('mkfifo', [path])
const fifo = await open(path, constants.O_RDWR) // Nobody writes: a read waits for ever.
rmSync(directory, { recursive: true }) // What is open stays.

await using ring = new Ring()
const begun = performance.now()
try {
  await ring.read(fifo, Buffer.alloc(4096), { signal: AbortSignal.timeout(100) })
} catch (error) {
  console.log(`ring.read: ${String(error)}, after ${Math.round(performance.now() - begun)} ms`)
}

// node:fs ignores the signal: the read blocks a thread of the pool, and the process cannot exit.
const options = { buffer: Buffer.alloc(4096), signal: AbortSignal.timeout(100) }
const reading = fifo.read(options).then(() => 'ended')
const waited = new Promise((resolve) => setTimeout(resolve, 1000, 'still blocked after 1000 ms'))
console.log(`FileHandle.read: ${String(await Promise.race([reading, waited]))}`)

await ring.write(fifo, 'x') // Frees it, so that this example ends.

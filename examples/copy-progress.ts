/**
 * Copies a file with a progress bar. Ctrl-C stops it, and leaves no half of a file.
 *
 *     node --import=./scripts/register.mjs examples/copy-progress.ts FROM TO
 */
import { stat, unlink } from 'node:fs/promises'

import { AbortError, Ring } from 'uring-safe-cancel'

const [from, to] = process.argv.slice(2)
if (from === undefined || to === undefined) throw new Error('two paths are needed: FROM TO')

/** Large enough that system calls do not matter, small enough for the bar to move. */
const PIECE = 1 << 20
/** So many pieces are on their way at once. */
const LANES = 4

const controller = new AbortController()
process.once('SIGINT', () => controller.abort())
// `async`: a worker of the kernel copies to and from the page cache, so that the event loop is free.
const options = { signal: controller.signal, async: true }

const { size } = await stat(from)
let [next, done] = [0, 0]

function showProgress(): void {
  const share = size === 0 ? 1 : done / size
  const bar = '#'.repeat(Math.floor(share * 40)).padEnd(40, '.')
  process.stderr.write(`\r[${bar}] ${Math.floor(share * 100)} %`)
}

/** Reads and writes may be short: it goes on where they ended. */
async function copyPiece(
  ring: Ring,
  source: number,
  target: number,
  start: number,
  piece: Buffer,
): Promise<void> {
  const end = Math.min(start + PIECE, size)
  for (let at = start; at < end;) {
    const { bytesRead } = await ring.read(source, piece, 0, end - at, at, options)
    if (bytesRead === 0) throw new Error(`${from} became shorter while it was copied`)
    for (let written = 0; written < bytesRead;) {
      const left = bytesRead - written
      written += (await ring.write(target, piece, written, left, at + written, options)).bytesWritten
    }
    at += bytesRead
    done += bytesRead
    showProgress()
  }
}

await using ring = new Ring()
const source = await ring.open(from)
const target = await ring.open(to, 'wx')
const lanes = Array.from({ length: LANES }, async () => {
  const piece = ring.alloc(PIECE)
  while (next < size) {
    const start = next
    next += PIECE
    await copyPiece(ring, source, target, start, piece)
  }
})
try {
  await Promise.all(lanes)
  await ring.fsync(target)
  showProgress()
  process.stderr.write('\n')
} catch (error) {
  // One lane failed: the others end too, before the file goes.
  controller.abort()
  await Promise.allSettled(lanes)
  await unlink(to)
  if (!(error instanceof AbortError)) throw error
  process.stderr.write('\nstopped\n')
  process.exitCode = 130
} finally {
  await ring.closeFd(source)
  await ring.closeFd(target)
}

/**
 * Copies a file with a progress bar. Ctrl-C and SIGTERM stop it, and leave no half of a file.
 *
 *     node --import=./scripts/register.mjs examples/copy-progress.ts FROM TO
 */
import { stat, unlink } from 'node:fs/promises'
import { constants } from 'node:os'

import { AbortError, Ring } from 'uring-safe-cancel'

const [from, to] = process.argv.slice(2)
if (from === undefined || to === undefined) throw new Error('two paths are needed: FROM TO')

/** Large enough that system calls do not matter, small enough for the bar to move. */
const PIECE = 1 << 20
/** So many pieces are on their way at once. */
const LANES = 4

const controller = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort(signal))
// `async`: a worker of the kernel copies to and from the page cache, so that the event loop is free.
const options = { signal: controller.signal, async: true }

const { size } = await stat(from)
let [next, done] = [0, 0]

function showProgress(): void {
  const share = done < size ? done / size : 1
  const bar = '#'.repeat(Math.floor(share * 40)).padEnd(40, '.')
  process.stderr.write(`\r[${bar}] ${Math.floor(share * 100)} %`)
}

await using ring = new Ring()
const source = await ring.open(from)
const target = await ring.open(to, 'wx')

/** Copies what one read brings, up to `end`, and resolves to how many bytes that was. Writes may be short. */
async function copySome(at: number, end: number, piece: Buffer): Promise<number> {
  const { bytesRead } = await ring.read(source, piece, 0, Math.min(end - at, PIECE), at, options)
  for (let written = 0; written < bytesRead;) {
    const left = bytesRead - written
    written += (await ring.write(target, piece, written, left, at + written, options)).bytesWritten
  }
  done += bytesRead
  showProgress()
  return bytesRead
}

const lanes = Array.from({ length: LANES }, async () => {
  const piece = ring.alloc(PIECE)
  while (next < size) {
    const start = next
    next += PIECE
    const end = Math.min(next, size)
    for (let at = start; at < end;) {
      const bytes = await copySome(at, end, piece)
      if (bytes === 0) throw new Error(`${from} became shorter while it was copied`)
      at += bytes
    }
  }
})

/** What the size does not tell of: files in /proc say that they have 0 bytes, and others grow. */
async function copyRest(): Promise<void> {
  const piece = ring.alloc(PIECE)
  for (let at = size, bytes = -1; bytes !== 0; at += bytes) bytes = await copySome(at, Infinity, piece)
}

try {
  await Promise.all(lanes)
  await copyRest()
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
  process.exitCode = 128 + constants.signals[controller.signal.reason === 'SIGTERM' ? 'SIGTERM' : 'SIGINT']
} finally {
  await ring.closeFd(source)
  await ring.closeFd(target)
}

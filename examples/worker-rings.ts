/**
 * Hashes files in worker threads, each with a ring of its own: a ring belongs to the thread that made it.
 *
 *     node --import=./scripts/register.mjs examples/worker-rings.ts FILE...
 */
import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

import { Ring } from 'uring-safe-cancel'

async function hash(path: string): Promise<string> {
  const ring = Ring.current() // This thread's own: made at the first call.
  const fd = await ring.open(path)
  const buffer = ring.alloc(1 << 20)
  const sum = createHash('sha256')
  try {
    for (;;) {
      const { bytesRead } = await ring.read(fd, buffer)
      if (bytesRead === 0) return sum.digest('hex')
      sum.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    await ring.closeFd(fd)
  }
}

/** Every n-th file, in a worker. */
function hashElsewhere(paths: string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: paths })
    worker.once('message', resolve).once('error', reject)
  })
}

if (isMainThread) {
  const paths = process.argv.slice(2)
  if (paths.length === 0) {
    console.error('Usage: worker-rings.ts FILE...')
    process.exit(64) // EX_USAGE of sysexits.h.
  }
  const threads = Math.min(availableParallelism(), paths.length)
  const shares = Array.from({ length: threads }, (_, index) =>
    paths.filter((_path, number) => number % threads === index),
  )
  const sums = await Promise.all(shares.map((share) => hashElsewhere(share)))
  for (const [number, path] of paths.entries()) {
    console.log(`${sums[number % threads]?.[Math.floor(number / threads)]}  ${path}`)
  }
} else {
  const paths = workerData as string[]
  const sums = await Promise.all(paths.map((path) => hash(path)))
  await Ring.current().close()
  parentPort?.postMessage(sums, [])
}

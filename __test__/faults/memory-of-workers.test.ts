/** What workers leave of their core memory: nothing that nobody can reach, and so much of what somebody may. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

import test from 'ava'

import { directoryFor, ringFor } from '../helpers.js'

/** In each part. A leak grows in both, by some of the 20 MiB of each worker; a heap may grow once. */
const WORKERS = 10
const TOLERATED_MIB = 24
/** Buffers of all kinds. */
const READS = `
  let held = []
  for (let index = 0; index < 128; index += 1) held.push(await ring.read(fd, { position: 0 }))
  for (let index = 0; index < 12; index += 1) held.push(await ring.read(fd, { length: 1 << 20, position: 0 }))
  for (let index = 0; index < 6; index += 1) held.push(ring.alloc(1 << 20).fill(1))`
/** The collection of the young leaves it to other threads to free the memory: the end is there first. */
const GARBAGE = `held = undefined; globalThis.gc({ type: 'minor' })`
/** What each worker loses that {@link lose} starts. */
const LOST_BYTES = 4 << 20

function start(body: string, file = ''): Worker {
  const code = `
    const fs = require('node:fs')
    const { parentPort, workerData } = require('node:worker_threads')
    const { Ring } = require('uring-safe-cancel')
    void (async () => {
      const ring = new Ring()
      ${body}
    })()`
  return new Worker(code, { eval: true, workerData: file })
}

const ENDS = {
  'process.exit()': `${GARBAGE}; process.exit()`,
  'terminate()': `parentPort.postMessage('done'); ${GARBAGE}; for (;;);`,
  // Node 24 may collect what the stopped program held, while it ends.
  'terminate() with all they have': `parentPort.postMessage('done'); for (;;);`,
  themselves: GARBAGE,
}

for (const [end, code] of Object.entries(ENDS)) {
  test(`clause 3, memory: workers that read without a buffer, and end by ${end}, leave nothing`, async (t) => {
    t.timeout(600_000, 'threads, one after the other')
    const path = join(directoryFor(t), 'file')
    writeFileSync(path, Buffer.alloc(1 << 20, 'x'))
    const run = async (count: number) => {
      for (let index = 0; index < count; index += 1) {
        const body = `const fd = fs.openSync(workerData)\n${READS}\nfs.closeSync(fd)\nawait ring.close()\n${code}`
        const worker = start(body, path)
        worker.once('message', () => void worker.terminate())
        await once(worker, 'exit')
      }
      return process.memoryUsage.rss()
    }
    const bytes = [await run(WORKERS / 2), await run(WORKERS), await run(WORKERS)]
    const grown = bytes.slice(1).map((later, index) => (later - (bytes[index] ?? 0)) / 2 ** 20)
    t.log(`resident memory grew by ${grown.map((mib) => mib.toFixed(1)).join(' and ')} MiB`)
    t.true(Math.min(...grown) < TOLERATED_MIB)
  })
}

/** Moves 4 MiB of core memory to this thread as a stream of bytes does it, in all versions of Node; then the worker ends. */
async function lose(): Promise<ArrayBuffer> {
  const worker = start(`
    const { buffer } = ring.alloc(${LOST_BYTES}).fill(7)
    const stream = new ReadableStream({ type: 'bytes', start: (to) => to.enqueue(new Uint8Array(buffer)) })
    const { value } = await stream.getReader().read()
    parentPort.postMessage([value.buffer, buffer.byteLength], [value.buffer])
    await ring.destroy()`)
  const [[[moved, left]]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
  if (!(moved instanceof ArrayBuffer) || left !== 0) throw new Error(`${moved} was not transferred: ${left}`)
  return moved
}

test('clause 3, memory: what workers lose by transfers is bounded: beyond it theirs are copies, and other threads have core memory', async (t) => {
  t.timeout(600_000, 'threads, one after the other')
  const moved: ArrayBuffer[] = []
  let error: unknown
  // 32 MiB are the bound.
  while (error === undefined && moved.length < 20) {
    try {
      moved.push(await lose())
    } catch (caught) {
      error = caught
    }
  }
  t.is(error instanceof Error && 'code' in error ? error.code : error, 'ERR_RING_NO_EXTERNAL_MEMORY')
  t.is(moved.length, 8)
  for (const buffer of moved) {
    const bytes = new Uint8Array(buffer)
    t.true(bytes[0] === 7 && bytes.at(-1) === 7, 'what was transferred is there')
  }
  const worker = start(`
    const fd = fs.openSync('/dev/zero')
    const { bytesRead, buffer } = await ring.read(fd, { length: 100_000 })
    await ring.destroy()
    parentPort.postMessage([bytesRead, buffer.every((byte) => byte === 0)])`)
  t.deepEqual(await once(worker, 'message'), [[100_000, true]])
  t.notThrows(() => ringFor(t).alloc(4096))
})

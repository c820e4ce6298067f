/** What reads without a buffer leave in the hands of a program that keeps a little of it, or hands it on. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import test from 'ava'
import { pipe } from 'uring-safe-cancel'

import { runProgram } from './fixtures/programs.js'
import { closeAfter, directoryFor, ringFor } from './helpers.js'

/** 2,048 results are kept: 32 MiB if each keeps its own 16 KiB, 512 if each keeps what sixteen reads share. */
const READS = 32_768
const EVERY = 16
const MOST = 1.3

test('10 bytes of every 16th result are kept: as little memory as with FileHandle.read', async (t) => {
  const path = join(directoryFor(t), 'file')
  writeFileSync(path, Buffer.alloc(16_384, 'x'))
  const mebibytes = async (read: string): Promise<number> => {
    const program = `
      import { open } from 'node:fs/promises'
      import { Ring } from 'uring-safe-cancel'
      const ring = new Ring()
      const handle = await open(${JSON.stringify(path)})
      const kept = []
      for (let count = 0; count < ${READS}; count += 1) {
        const { buffer } = await ${read}
        if (count % ${EVERY} === 0) kept.push(buffer.subarray(0, 10))
      }
      if (!kept.every((bytes) => bytes.toString() === 'x'.repeat(10))) throw new Error('other bytes')
      console.log(process.memoryUsage.rss() / 2 ** 20)
      await ring.close()
      await handle.close()`
    const { status, output, errors } = await runProgram(program)
    t.deepEqual({ status, errors }, { status: 0, errors: '' })
    return Number(output)
  }
  const nodes = await mebibytes('handle.read({ position: 0 })')
  const ours = await mebibytes('ring.read(handle.fd, { position: 0 })')
  t.log(`${ours.toFixed(0)} MiB, and ${nodes.toFixed(0)} with FileHandle.read: ${(ours / nodes).toFixed(2)}`)
  t.true(ours <= MOST * nodes)
})

test('what a read returned is handed to another thread as docs/contract.md says: a copy, or a buffer of the program', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  await ring.write(writeFd, 'content')
  const { buffer } = await ring.read(readFd, { length: 7 })
  t.true(buffer.buffer.byteLength > buffer.length, 'it shares its memory with other results')
  // With the ArrayBuffer in the transfer list: a copy of all of it in silence on Node 20, an error later.
  const { buffer: shared } = buffer
  try {
    const { length } = structuredClone(buffer, { transfer: [shared as ArrayBuffer] })
    t.is(length, 7)
    t.is(shared.byteLength, 256 << 10, 'it was not transferred')
  } catch (error) {
    t.is(error instanceof Error ? error.name : error, 'DataCloneError')
  }
  t.is(String(buffer), 'content', 'nothing was taken from it')
  const copy = Uint8Array.from(buffer)
  const moved = structuredClone(copy, { transfer: [copy.buffer] })
  t.deepEqual([String(Buffer.from(moved)), moved.buffer.byteLength, copy.length], ['content', 7, 0])
  await ring.write(writeFd, 'content')
  const own = new Uint8Array(7)
  await ring.read(readFd, own)
  t.is(String(Buffer.from(structuredClone(own, { transfer: [own.buffer] }))), 'content')
})

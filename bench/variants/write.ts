/** Durable writes: a block at random, then fdatasync. */
import { fdatasync as fdatasyncCallback, fstatSync, openSync, write as writeCallback } from 'node:fs'
import { open } from 'node:fs/promises'

import { BLOCK } from '../files.js'
import { loadLibrary, makeRing } from '../library.js'
import type { Settings } from '../protocol.js'
import { callbackLanes, expect, type Program, promiseLanes } from './program.js'
import { Random, SEED } from './random.js'

function check(_lane: number, bytesWritten: number): void {
  expect('bytes written', bytesWritten, BLOCK)
}

export async function write(settings: Settings): Promise<Program> {
  const { path = '', api = 'ring', memory } = settings
  const fd = openSync(path, 'r+')
  const blocks = fstatSync(fd).size / BLOCK
  const random = new Random(SEED)
  const ring = api === 'ring' ? makeRing(await loadLibrary(settings), settings) : undefined
  const make = () => (ring !== undefined && memory === 'core' ? ring.alloc(BLOCK) : Buffer.alloc(BLOCK))
  const buffers: Buffer[] = []
  const none = Buffer.alloc(0)
  const prepare = (concurrency: number) => {
    while (buffers.length < concurrency) buffers.push(make())
  }
  /** The lane's buffer, with the number of the block that it is for. */
  const filled = (lane: number, block: number): Buffer => {
    const buffer = buffers[lane] ?? none
    buffer.writeUInt32LE(block, 0)
    return buffer
  }
  if (ring !== undefined) {
    const operation = async (lane: number) => {
      const block = random.below(blocks)
      const { bytesWritten } = await ring.write(fd, filled(lane, block), 0, BLOCK, block * BLOCK)
      await ring.fdatasync(fd)
      return bytesWritten
    }
    return { prepare, run: promiseLanes(operation, check) }
  }
  if (api === 'handle') {
    const handle = await open(path, 'r+')
    const operation = async (lane: number) => {
      const block = random.below(blocks)
      const { bytesWritten } = await handle.write(filled(lane, block), 0, BLOCK, block * BLOCK)
      await handle.datasync()
      return bytesWritten
    }
    return { prepare, run: promiseLanes(operation, check) }
  }
  return {
    prepare,
    run: callbackLanes<number>((lane, callback) => {
      const block = random.below(blocks)
      writeCallback(fd, filled(lane, block), 0, BLOCK, block * BLOCK, (error, bytesWritten) => {
        if (error) callback(error, bytesWritten)
        else fdatasyncCallback(fd, (failure) => callback(failure, bytesWritten))
      })
    }, check),
  }
}

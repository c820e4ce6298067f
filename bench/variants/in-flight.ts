/** What an operation in flight costs in memory: many reads of a pipe to which nobody writes. */
import { execFileSync } from 'node:child_process'
import { openSync, read as readCallback, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

import { BLOCK } from '../files.js'
import { loadLibrary, type Ring } from '../library.js'

interface Arguments {
  api: 'core' | 'own' | 'none' | 'callback' | 'handle'
  directory: string
  operations: number
}

const collect = (globalThis as { gc?: () => void }).gc ?? (() => {})

async function beginner({ api, directory }: Arguments): Promise<(buffer: Buffer) => unknown> {
  const path = `${directory}/fifo-${process.pid}`
  execFileSync('mkfifo', [path])
  const fd = openSync(path, 'r+')
  switch (api) {
    case 'callback':
      return (buffer) => readCallback(fd, buffer, 0, BLOCK, null, unexpected)
    case 'handle': {
      const handle = await open(path, 'r+')
      return (buffer) => handle.read(buffer, 0, BLOCK).then(unexpected)
    }
    case 'none': {
      const ring = await ringOfProcess()
      return () => ring.read(fd, { length: BLOCK }).then(unexpected)
    }
    case 'core':
    case 'own': {
      const ring = await ringOfProcess()
      return (buffer) => ring.read(fd, buffer, 0, BLOCK).then(unexpected)
    }
    default:
      throw new Error(`no such API: ${String(api)}`)
  }
}

let made: Ring | undefined

/** The process's one ring: its core memory is read into only by itself. */
async function ringOfProcess(): Promise<Ring> {
  if (made === undefined) {
    const library = await loadLibrary()
    made = new library.Ring()
  }
  return made
}

function unexpected(): never {
  throw new Error('a read of an empty FIFO ended')
}

async function memory(): Promise<{ heapUsed: number; rss: number }> {
  for (let round = 0; round < 3; round += 1) {
    collect()
    await sleep(10)
  }
  return process.memoryUsage()
}

async function measure(settings: Arguments): Promise<void> {
  const { api, operations } = settings
  const begin = await beginner(settings)
  const ring = api === 'core' ? await ringOfProcess() : undefined
  // The buffers are the caller's in any case, and touched before.
  const make = () => (ring === undefined ? Buffer.alloc(BLOCK, 1) : ring.alloc(BLOCK).fill(1))
  const buffers = api === 'none' ? [] : Array.from({ length: operations }, make)
  const pending: unknown[] = Array.from({ length: operations })
  const none = Buffer.alloc(0)
  // The first of each kind makes caches and code.
  begin(buffers[0] ?? none)
  const before = await memory()
  for (let index = 0; index < operations; index += 1) pending[index] = begin(buffers[index] ?? none)
  const after = await memory()
  writeSync(
    1,
    JSON.stringify({
      heap: (after.heapUsed - before.heapUsed) / operations,
      rss: (after.rss - before.rss) / operations,
      pending: pending.length,
    }),
  )
}

await measure(JSON.parse(process.argv[2] ?? '{}') as Arguments)
process.kill(process.pid, 'SIGKILL')

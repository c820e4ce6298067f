/** Reads of files. */
import { BLOCK, RANDOM_BYTES } from '../files.js'
import type { Settings } from '../protocol.js'
import type { Variant, Work } from '../work.js'
import { floor, node, on, registeredFloor } from './variants.js'

const KIB = 1024
/** What createReadStream reads at once by default. */
const CHUNK = 64 * KIB

/** The ways to read on Node. */
function waysToRead(settings: Settings): Record<'core' | 'own' | 'none' | 'callback' | 'handle', Variant> {
  const ring = { ...settings, api: 'ring' } as const
  return {
    core: node('core', 'ring.read, ring.alloc', ring, { settings: { memory: 'core' } }),
    own: node('own', "ring.read, caller's Buffer", ring, { settings: { memory: 'own' } }),
    none: node('none', 'ring.read, no buffer', ring, { settings: { memory: 'none' } }),
    callback: node('callback', 'fs.read', settings, { settings: { api: 'callback' } }),
    handle: node('handle', 'FileHandle.read', settings, { settings: { api: 'handle' } }),
  }
}

export function smallReads(path: string): Work {
  const settings: Settings = { work: 'read', path, length: BLOCK }
  const { core, own, none, callback, handle } = waysToRead(settings)
  const sync = node('sync', 'fs.readSync', settings, { settings: { api: 'sync' }, concurrency: [1] })
  const everywhere = [core, own, callback, handle, sync]
  return {
    id: 'read',
    title: '4 KiB cached random read',
    description: `An operation is a read of 4 KiB at a random block of a file of ${RANDOM_BYTES >> 20} MiB, which is in the page cache.`,
    unit: 'in flight',
    concurrency: [1, 8, 32, 128, 512],
    peer: 'callback',
    details: [1, 32, 512],
    variants: [
      floor(settings),
      registeredFloor(settings),
      core,
      node('naive', 'ring.read, ring.alloc, reissue: false', core.settings, { settings: { reissue: false } }),
      own,
      none,
      callback,
      handle,
      sync,
      ...everywhere.map((variant) => on('bun', variant)),
      ...everywhere.map((variant) => on('deno', variant)),
    ],
  }
}

export function directReads(path: string, fileSystem: string): Work {
  const settings: Settings = { work: 'read', path, length: BLOCK, direct: true }
  const { core, own, none, callback, handle } = waysToRead(settings)
  return {
    id: 'direct',
    title: '4 KiB O_DIRECT random read',
    description: `As above, but past the page cache, on ${fileSystem}. (Direct I/O wants buffers at a block's boundary: those of fs are made by \`ring.alloc\` too. Into a caller's Buffer the library reads by way of its own memory.)`,
    unit: 'in flight',
    concurrency: [1, 32],
    peer: 'callback',
    details: [1, 32],
    variants: [floor(settings), registeredFloor(settings), core, own, none, callback, handle],
  }
}

/** The same by a worker thread of the kernel. */
function asynchronous(variant: Variant): Variant {
  return {
    ...variant,
    id: `${variant.id}-async`,
    name: `${variant.name}, async: true`,
    settings: { ...variant.settings, async: true },
  }
}

export function largeReads(path: string, kib: number): Work {
  const settings: Settings = { work: 'read', path, length: kib * KIB }
  const { core, own, none, callback, handle } = waysToRead(settings)
  return {
    id: `read-${kib}k`,
    title: `${kib >= KIB ? `${kib / KIB} MiB` : `${kib} KiB`} cached read`,
    description: 'An operation is a read at a random multiple of its size, of the same file.',
    unit: 'in flight',
    concurrency: [1, 16],
    peer: 'callback',
    details: [16],
    variants: [
      floor(settings),
      registeredFloor(settings),
      core,
      asynchronous(core),
      own,
      asynchronous(own),
      none,
      callback,
      handle,
    ],
  }
}

export function sequentialReads(path: string, bytes: number): Work {
  const settings: Settings = { work: 'read', path, length: CHUNK, sequential: true }
  const { core, own, none, callback, handle } = waysToRead(settings)
  return {
    id: 'sequential',
    title: `sequential read of ${bytes >> 20} MiB`,
    description: `An operation is the read of the next ${CHUNK >> 10} KiB of a cached file; a slice is the whole file.`,
    unit: 'in flight',
    concurrency: [1, 16],
    peer: 'callback',
    details: [],
    operations: bytes / CHUNK,
    variants: [
      floor(settings),
      registeredFloor(settings),
      core,
      own,
      none,
      callback,
      handle,
      node('stream', 'fs.createReadStream', settings, { settings: { api: 'stream' }, concurrency: [1] }),
    ],
  }
}

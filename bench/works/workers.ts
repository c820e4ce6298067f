/** Reads in several worker threads. */
import { BLOCK } from '../files.js'
import type { Settings } from '../protocol.js'
import type { Work } from '../work.js'
import { floor, node } from './variants.js'

/** Operations in flight in each worker. */
const LANES = 32

export function workerReads(path: string, processors: number): Work {
  const settings: Settings = { work: 'workers', path, length: BLOCK, lanes: LANES }
  const ring = { ...settings, api: 'ring' } as const
  return {
    id: 'workers',
    title: '4 KiB cached reads in worker threads',
    description: `An operation is a read as above. Each worker has a ring of its own, and ${LANES} reads in flight (fs.readSync: one); the floor has threads. The pool of fs is the process's.`,
    unit: 'workers',
    concurrency: upTo(processors),
    peer: 'callback',
    details: [],
    isScaling: true,
    variants: [
      floor(settings),
      node('core', 'ring.read, ring.alloc', ring, { settings: { memory: 'core' } }),
      node('own', "ring.read, caller's Buffer", ring, { settings: { memory: 'own' } }),
      node('callback', 'fs.read', settings, { settings: { api: 'callback' } }),
      node('sync', 'fs.readSync', settings, { settings: { api: 'sync' } }),
    ],
  }
}

/** 1, 2, 4, … and the number of processors itself. */
export function upTo(processors: number): number[] {
  const counts = new Set<number>()
  for (let count = 1; count < processors; count *= 2) counts.add(count)
  return [...counts, processors]
}

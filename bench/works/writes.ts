/** Durable writes. */
import type { Settings } from '../protocol.js'
import type { Work } from '../work.js'
import { floor, node } from './variants.js'

export function durableWrites(path: string, fileSystem: string): Work {
  const settings: Settings = { work: 'write', path }
  const ring = { ...settings, api: 'ring' } as const
  return {
    id: 'write',
    title: '4 KiB write and fdatasync',
    description: `An operation is a write of 4 KiB at a random block and an fdatasync of the file after it, on ${fileSystem}.`,
    unit: 'in flight',
    concurrency: [1, 32],
    peer: 'callback',
    details: [1, 32],
    variants: [
      floor(settings),
      node('core', 'ring, ring.alloc', ring, { settings: { memory: 'core' } }),
      node('own', "ring, caller's Buffer", ring, { settings: { memory: 'own' } }),
      node('callback', 'fs.write, fs.fdatasync', settings, { settings: { api: 'callback' } }),
      node('handle', 'FileHandle.write, .datasync', settings, { settings: { api: 'handle' } }),
    ],
  }
}

/** So many operations by the ring, in batches, for callgrind to count what the binding and the core spend on them. */
import { openSync } from 'node:fs'

import { BLOCK } from '../files.js'
import { loadLibrary, type Ring } from '../library.js'
import { Fifo } from './fifo.js'
import { expect } from './program.js'

interface Arguments {
  work: string
  /** Another build's. */
  library?: string
  batch: number
  operations: number
  path: string
}

async function beginner(settings: Arguments, ring: Ring): Promise<() => Promise<void>> {
  const { work, path } = settings
  const { CANCELLED, eventfd } = await loadLibrary(settings)
  if (work === 'nop') return () => ring.nop()
  if (work === 'read') {
    const fd = openSync(path, 'r')
    const buffer = ring.alloc(BLOCK)
    return async () => {
      const { bytesRead } = await ring.read(fd, buffer, 0, BLOCK, 0)
      expect('bytes read', bytesRead, BLOCK)
    }
  }
  if (work === 'pipe') {
    const fifo = new Fifo()
    const buffer = ring.alloc(1)
    return async () => {
      fifo.take()
      const { bytesRead } = await ring.read(fifo.fd, buffer, 0, 1)
      expect('bytes read', bytesRead, 1)
    }
  }
  if (work === 'cancel') {
    const event = eventfd()
    return async () => {
      const reading = ring.read(event, { length: 8, onCancel: 'resolve' })
      void ring.cancel(reading)
      if ((await reading) !== CANCELLED) throw new Error('the eventfd was empty')
    }
  }
  throw new Error(`no such work: ${work}`)
}

const settings = JSON.parse(process.argv[2] ?? '{}') as Arguments
const { Ring: MakeRing } = await loadLibrary(settings)
const begin = await beginner(settings, new MakeRing())
for (let left = settings.operations; left > 0; left -= settings.batch) {
  await Promise.all(Array.from({ length: settings.batch }, begin))
}
process.exit()

/** Nothing: what an operation costs beside its work. */
import type { Work } from '../work.js'
import { floor, node, on } from './variants.js'

export function nops(): Work {
  const settings = { work: 'nop', api: 'ring' } as const
  const ring = node('ring', 'ring.nop', settings)
  return {
    id: 'nop',
    title: 'nop',
    description:
      'An operation is one `IORING_OP_NOP`. The two promises do no I/O: one is settled from the start, the other is made pending, kept by number, and settled with its batch, as any asynchronous operation needs it.',
    unit: 'in flight',
    concurrency: [1, 8, 32, 128, 512],
    peer: 'pending',
    details: [1, 128, 512],
    variants: [
      floor(settings),
      node('pending', 'a promise, settled by a batch', { work: 'nop', api: 'pending' }),
      node('settled', 'a promise, settled from the start', { work: 'nop', api: 'settled' }),
      ring,
      node('naive', 'ring.nop, reissue: false', settings, { settings: { reissue: false } }),
      on('bun', ring),
      on('deno', ring),
    ],
  }
}

/** One byte there and back. */
import type { Settings } from '../protocol.js'
import type { Variant, Work } from '../work.js'
import { floor, node } from './variants.js'

/** Seconds. The thread pool's four threads wait for bytes that only a fifth could send: some of these hang for ever. */
const PATIENCE = 3

type Pairs = NonNullable<Variant['pairs']>

function bounce(id: string, title: string, description: string, pairs: Pairs): Work {
  const settings: Settings = { work: pairs.isEchoed ? 'echo' : 'ping-pong' }
  const ring = { ...settings, api: 'ring' } as const
  return {
    id,
    title,
    description,
    unit: 'in flight',
    concurrency: [1, 32],
    peer: 'socket',
    details: [1, 32],
    variants: [
      floor(settings, { pairs }),
      node('core', 'ring, ring.alloc', ring, { settings: { memory: 'core' }, pairs }),
      node('own', "ring, caller's Buffer", ring, { settings: { memory: 'own' }, pairs }),
      node('socket', 'net.Socket', settings, { settings: { api: 'socket' }, pairs }),
      node('callback', 'fs.read, fs.write', settings, {
        settings: { api: 'callback' },
        pairs,
        patience: PATIENCE,
      }),
    ],
  }
}

export function pingPongs(): Work[] {
  const both = 'An operation is a byte sent and a byte sent back; both ends are in one thread'
  return [
    bounce('ping-pong-pipe', '1-byte ping-pong over pipes', `${both}, on two pipes for each pair.`, {
      kind: 'pipe',
      isEchoed: false,
    }),
    bounce(
      'ping-pong-socketpair',
      '1-byte ping-pong over a socketpair',
      `${both}, on a socketpair(2) each.`,
      { kind: 'socketpair', isEchoed: false },
    ),
    bounce(
      'echo',
      'echo through another process',
      'An operation is a byte sent over a socketpair(2) and sent back by another process, which has a blocking thread for each pair.',
      { kind: 'socketpair', isEchoed: true },
    ),
  ]
}

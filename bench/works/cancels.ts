/** Reads of an empty eventfd, and their cancellation. */
import type { CancelWay, Settings } from '../protocol.js'
import type { Variant, Work } from '../work.js'
import { floor, node } from './variants.js'

/** Microseconds: the shortest that the library has. */
const TIMEOUT = 1

export function cancels(): Work {
  const settings: Settings = { work: 'cancel' }
  const by = (way: CancelWay, name: string): Variant => node(way, name, { ...settings, by: way })
  const byHandle = by('handle', 'ring.cancel')
  return {
    id: 'cancel',
    title: 'read and cancel of an empty eventfd',
    description:
      "An operation is a read that would wait for ever, and its cancellation; each lane has an eventfd of its own. 'rejects' ends in an AbortError, 'resolves' in `CANCELLED` (`onCancel: 'resolve'`, as by ring.cancel and the timeout here). A shared signal is that of all reads in flight; the next ones get a new one. The timeouts are of 1 µs; the floor's is a linked one.",
    unit: 'in flight',
    concurrency: [1, 32, 128],
    peer: 'own-reject',
    details: [1, 32, 128],
    variants: [
      floor(settings),
      floor(settings, { id: 'floor-timeout', name: 'floor, timeout', settings: { timeout: TIMEOUT } }),
      byHandle,
      {
        ...byHandle,
        id: 'naive',
        name: 'ring.cancel, reissue: false',
        settings: { ...byHandle.settings, reissue: false },
      },
      by('own-reject', 'an AbortController each, rejects'),
      by('own-resolve', 'an AbortController each, resolves'),
      by('shared-reject', 'a shared signal, rejects'),
      by('shared-resolve', 'a shared signal, resolves'),
      node('timeout', 'timeout', { ...settings, by: 'timeout', timeout: TIMEOUT }),
    ],
  }
}

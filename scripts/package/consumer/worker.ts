/** A thread with a ring of its own. */
import { parentPort, workerData } from 'node:worker_threads'

import { eventfd, Ring } from 'uring-safe-cancel'

if (parentPort === null) throw new Error('this is no worker')
const port = parentPort
const post = (message: string) => port.postMessage(message)
const ring = Ring.current()
if (workerData === 'works') {
  const { outcome } = await ring.cancel(ring.read(eventfd(), { onCancel: 'resolve' }))
  await ring.close()
  post(outcome === 'cancelled' ? 'works' : outcome)
} else {
  const fd = eventfd()
  for (let count = 0; count < 100; count += 1) void ring.read(fd, { onCancel: 'resolve' })
  await ring.nop()
  post('in flight')
}

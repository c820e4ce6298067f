/** One thread of a run: it makes its ring, waits for the common start, and tells what it did. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'

import { Ring } from '../../ring.js'
import { free } from './lost.js'
import { type FromThread, type Task, Word } from './messages.js'
import { Rounds } from './rounds.js'
import { RING_OPTIONS } from './scenario.js'

async function work(port: MessagePort, task: Task): Promise<void> {
  const post = (message: FromThread) => port.postMessage(message)
  const { thread, mode, eventfds, words } = task
  const ring = new Ring(RING_OPTIONS[mode])
  ring.on('stuck', ({ promise, fd = -1, attempts, lastAnswer }) => {
    Atomics.add(words, Word.lost(thread), 1)
    post({ type: 'lost', lost: { thread, eventfd: eventfds.indexOf(fd), attempts, answer: lastAnswer } })
    // Without that, the thread would wait for ever: a ring in mode raw does not cancel again by itself.
    if (mode === 'raw') void free(ring, promise)
  })
  const rounds = new Rounds(ring, task)
  post({ type: 'ready' })
  Atomics.wait(words, Word.START, 0)
  await rounds.run()
  await ring.close()
  post({
    type: 'result',
    result: { counts: rounds.counts, stats: ring.stats(), latency: rounds.latency.data },
  })
}

if (parentPort === null) throw new Error('worker.js is a thread of `uring-safe-cancel stress`')
const task: Task = workerData
await work(parentPort, task)

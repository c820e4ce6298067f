/** How a process ends: one mode in each process. */
import { eventfd, Ring } from 'uring-safe-cancel'

const [, , mode = ''] = process.argv
const ring = new Ring()

switch (mode) {
  // A pending operation holds the process, and its end lets it go.
  case 'by itself':
    console.log('begun')
    void ring.sleep(100).then(() => console.log('slept'))
    break
  // Nothing holds it: it ends with a read in flight.
  case 'unref':
    ring.unref()
    void ring.read(eventfd())
    console.log('begun')
    break
  case 'exit':
    for (let count = 0; count < 100; count += 1) void ring.read(eventfd())
    await ring.nop()
    console.log('begun')
    process.exit(7)
  default:
    throw new Error(`no mode ${mode}`)
}

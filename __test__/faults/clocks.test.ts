/** Time namespaces (`unshare -T`, runc's timeOffsets, CRIU): the process's monotonic clock is not the kernel's. */
import { uptime } from 'node:os'

import test from 'ava'

import { runProgram, sandbox } from '../fixtures/programs.js'

const PROGRAM = `
  import { eventfd, Ring } from 'uring-safe-cancel'
  const ring = new Ring()
  const fd = eventfd()
  const fate = (promise) => promise.then(() => 'read', (error) => error.code)
  const wait = async (timeout) => {
    const [begun, { user, system }] = [performance.now(), process.cpuUsage()]
    const word = await fate(ring.read(fd, { length: 8, timeout }))
    const [elapsed, used] = [performance.now() - begun, process.cpuUsage({ user, system })]
    return { word, isEarly: elapsed < timeout, isBusy: used.user + used.system > 500 * elapsed }
  }
  // What runs for the first time is compiled.
  await wait(20)
  const first = await wait(50)
  // Its timer is the ring's, and is set to an earlier time by the next one.
  const later = wait(2000)
  await ring.nop()
  const earlier = await wait(100)
  console.log(JSON.stringify([first, earlier, await later]))
  await ring.destroy()`

const timedOut = { word: 'TIMEOUT_ERR', isEarly: false, isBusy: false }

// The clock can be set back no further than to its beginning.
for (const offset of [1000, -Math.floor(uptime() / 2)]) {
  const where = offset > 0 ? 'ahead' : 'behind'
  test(`clause 2, live: in a time namespace whose clock is ${where}, timeouts fire in time, and nobody is busy`, async (t) => {
    t.timeout(120_000, 'the launcher is built')
    const { status, output, errors } = await runProgram(PROGRAM, {
      launcher: [await sandbox(), '--monotonic', String(offset), '--'],
    })
    t.is(status, 0, errors)
    t.deepEqual(JSON.parse(output), [timedOut, timedOut, timedOut])
  })
}

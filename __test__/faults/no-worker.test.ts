/** The kernel can start no worker thread, because of a limit of processes and threads (as of a container). */
import test from 'ava'

import { publicCopies, runProgram } from '../fixtures/programs.js'

/** A user that the limit holds for: it does not for root. */
const NOBODY = '65534'

test('what may do without a worker does; what may not fails, and says why; cancels work', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const { home, launcher, node, remove } = await publicCopies()
  t.teardown(remove)
  const code = `
    import { execFileSync } from 'node:child_process'
    import { openSync } from 'node:fs'
    import { eventfd, pipe, Ring } from 'uring-safe-cancel'
    const ring = new Ring()
    const { readFd, writeFd } = pipe()
    const fd = openSync('/etc/passwd')
    execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=1'])
    const fate = (promise) => promise.then((value) => value?.bytesRead ?? value, (error) => error.code + ', ' + error.message)
    const words = {}
    words.file = await fate(ring.read(fd, { async: true, length: 4, position: 0 }))
    const reading = fate(ring.read(readFd, { async: true }))
    await ring.write(writeFd, 'abc')
    words.pipe = await reading
    const event = eventfd()
    const cancelled = ring.read(event, { async: true })
    cancelled.catch(() => {})
    words.cancel = (await ring.cancel(cancelled)).outcome
    words.aborted = await fate(ring.read(event, { async: true, signal: AbortSignal.timeout(10) }))
    words.open = await fate(ring.open('/etc/passwd'))
    words.fsync = await fate(ring.fsync(fd))
    words.inFlight = ring.stats().inFlight
    await ring.close()
    console.log(JSON.stringify(words))`
  const { output, errors } = await runProgram(code, {
    launcher: [launcher, '--uid', NOBODY, '--'],
    home,
    node,
  })
  const why = 'the kernel has no worker thread for it (is a limit of processes or threads reached?)'
  t.deepEqual(JSON.parse(output || JSON.stringify(errors)), {
    file: 4,
    pipe: 3,
    cancel: 'cancelled',
    aborted: 'ABORT_ERR, The operation was aborted',
    open: `ECANCELED, ECANCELED: operation canceled, open '/etc/passwd': ${why}`,
    fsync: `ECANCELED, ECANCELED: operation canceled, fsync: ${why}`,
    inFlight: 0,
  })
})

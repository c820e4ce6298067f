/** io_uring is forbidden when the ring is there already: everything ends, says so, and closes what it is to close. */
import { constants } from 'node:os'

import test from 'ava'

import { forbidIoUring, runProgram } from '../fixtures/programs.js'

const PROGRAM = `
  import { closeSync, fstatSync, readSync, writeSync } from 'node:fs'
  import { eventfd, pipe, Ring, RingError } from 'uring-safe-cancel'
  const ring = new Ring()
  const other = new Ring()
  const fate = (promise) => promise.then(() => 'resolved', (error) => error instanceof RingError ? [error.code, error.errno, error.remedy.length > 20].join() : error.code ?? String(error))
  const event = eventfd()
  const late = pipe()
  const reads = Array.from({ length: 100 }, () => fate(ring.read(event, { length: 8 })))
  const early = pipe()
  const over = fate(ring.read(early.readFd, { length: 8 }))
  const timed = fate(other.read(event, { length: 8, timeout: 30 }))
  await Promise.all([ring.nop(), other.nop()])
  writeSync(early.writeFd, 'early')
  // Nothing registers itself there: the filter is all that it brings.
  try { process.dlopen({ exports: {} }, process.env.FILTER) } catch {}
  const words = new Set()
  const say = async (name, promise) => words.add(name + ': ' + await promise)
  const nop = fate(ring.nop())
  await say('over', over)
  await say('nop', nop)
  for (const read of reads) await say('read', read)
  await say('later', fate(ring.write(late.writeFd, 'late')))
  await say('timed', timed)
  await say('cancel', fate(ring.cancelAll()))
  await say('closeFd', fate(ring.closeFd(late.writeFd)))
  await say('end of file', readSync(late.readFd, Buffer.alloc(8)) === 0)
  try { new Ring() } catch (error) { words.add('made: ' + error.code + ',' + error.errno) }
  const [before, { user, system }] = [performance.now(), process.cpuUsage()]
  await new Promise((resolve) => setTimeout(resolve, 200))
  const used = process.cpuUsage({ user, system })
  words.add('busy: ' + (used.user + used.system > 500 * (performance.now() - before)))
  const { submitted, completed, inFlight, queued } = ring.stats()
  words.add('unsettled: ' + (submitted - completed + inFlight + queued))
  await say('close', fate(other.close()))
  await say('destroy', fate(ring.destroy()))
  console.log(JSON.stringify([...words]))`

for (const code of ['EPERM', 'EACCES', 'ENOSYS'] as const) {
  test(`clause 2, live: when a filter begins to answer ${code}, all that is pending and all that follows rejects with it`, async (t) => {
    t.timeout(120_000, 'the library is built')
    const errno = constants.errno[code]
    const { status, output, errors } = await runProgram(PROGRAM, {
      env: { FILTER: await forbidIoUring(), FORBID_IO_URING: String(errno) },
    })
    t.is(status, 0, errors)
    const forbidden = `ERR_IO_URING_UNAVAILABLE,${-errno},true`
    t.deepEqual(JSON.parse(output), [
      'over: resolved',
      `nop: ${forbidden}`,
      `read: ${forbidden}`,
      `later: ${forbidden}`,
      `timed: ${forbidden}`,
      'cancel: resolved',
      'closeFd: resolved',
      'end of file: true',
      `made: ERR_IO_URING_UNAVAILABLE,${-errno}`,
      'busy: false',
      'unsettled: 0',
      'close: resolved',
      'destroy: resolved',
    ])
  })
}

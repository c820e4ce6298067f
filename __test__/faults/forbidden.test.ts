/** Where io_uring is forbidden everything says so; and here, where it is not, nothing was skipped. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import test from 'ava'
import { Ring } from 'uring-safe-cancel'

import { sandbox } from '../fixtures/programs.js'
import { ringFor } from '../helpers.js'

const DEGRADES = fileURLToPath(new URL('../fixtures/degrades.mjs', import.meta.url))
/** How many checks the program makes. */
const CHECKS = 10

test('io_uring is to be had here: every test of this suite that needs it has run on it', async (t) => {
  const { supported, operations, reason, remedy } = Ring.probe()
  t.true(supported, `${reason}; ${remedy}`)
  t.deepEqual(
    Object.entries(operations).filter(([, isKnown]) => !isKnown),
    [],
  )
  const ring = ringFor(t)
  await ring.nop()
  t.like(ring.stats(), { submitted: 1, completed: 1, refusals: 0 })
})

for (const errno of ['EPERM', 'ENOSYS']) {
  for (const call of ['setup', 'enter', undefined]) {
    test(`seccomp answers ${errno} to ${call ?? 'all calls of io_uring'}: everything degrades, and says so`, async (t) => {
      t.timeout(120_000, 'the launcher is built')
      const only = call === undefined ? [] : ['--io-uring-call', call]
      const args = ['--io-uring-errno', errno, ...only, '--', process.execPath, DEGRADES, errno]
      const { stdout, stderr } = await promisify(execFile)(await sandbox(), args)
      t.is(`${stdout}${stderr}`, `degrades: ${CHECKS} checks\n`)
    })
  }
}

test('seccomp forbids io_uring_register alone: a ring needs none of it', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const code = `
    import { Ring, eventfd } from 'uring-safe-cancel'
    const ring = new Ring()
    const { outcome } = await ring.cancel(ring.read(eventfd(), { async: true }))
    await ring.destroy()
    const { operations } = Ring.probe()
    console.log(Ring.isSupported(), outcome, Object.values(operations).join())`
  const program = [process.execPath, '--input-type=module', '-e', code]
  const args = ['--io-uring-call', 'register', '--', ...program]
  const { stdout } = await promisify(execFile)(await sandbox(), args)
  // All that are known here without the filter: the first test of this file has them.
  const known = Object.values(Ring.probe().operations).map(() => true)
  t.is(stdout, `true cancelled ${known.join()}\n`)
})

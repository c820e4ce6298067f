/** The switch by which an administrator forbids io_uring. It is the whole machine's, so that this runs in guests alone. */
import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import test from 'ava'
import { Ring } from 'uring-safe-cancel'

const SYSCTL = '/proc/sys/kernel/io_uring_disabled'
const DEGRADES = fileURLToPath(new URL('fixtures/degrades.mjs', import.meta.url))
const NOBODY = 65_534
/** How many checks the program makes. */
const CHECKS = 10

const [major = 0, minor = 0] = release().split('.').map(Number)
const testWithSysctl = existsSync(SYSCTL) ? test : test.skip

test('the kernel has the switch from Linux 6.6 on', (t) => {
  t.is(existsSync(SYSCTL), major > 6 || (major === 6 && minor >= 6))
})

testWithSysctl('kernel.io_uring_disabled=2: everything degrades, and says so', async (t) => {
  t.is(await degrades(2), `degrades: ${CHECKS} checks\n`)
  t.true(Ring.isSupported(), 'and back again')
})

testWithSysctl('kernel.io_uring_disabled=1: the same for a user without the right to it', async (t) => {
  t.is(await degrades(1, NOBODY), `degrades: ${CHECKS} checks\n`)
})

async function degrades(value: number, uid?: number): Promise<string> {
  writeFileSync(SYSCTL, String(value))
  try {
    const user = uid === undefined ? {} : { uid, gid: uid }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [DEGRADES, 'EPERM'], user)
    return `${stdout}${stderr}`
  } finally {
    writeFileSync(SYSCTL, '0')
  }
}

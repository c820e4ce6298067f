/** What is checked on a runtime whose kernel has no io_uring: the package loads, and says what is wrong. */
import assert from 'node:assert/strict'

import { COMMAND, lines, type Surroundings } from './surroundings.js'

/** As the README's table has it. */
const NO_IO_URING = 2

const REFUSED = `
import { Ring } from 'uring-safe-cancel'
try {
  new Ring()
} catch ({ code, errno, reason, remedy }) {
  console.log(JSON.stringify({ code, errno, reason, remedy }))
}
`

/** Runs all checks of one runtime in the project. */
export async function checkWithoutIoUring({ check, output, status, platform }: Surroundings): Promise<void> {
  for (const [what, file] of Object.entries({ import: 'import.mjs', require: 'require.cjs' })) {
    await check(`${what}: not supported`, async () => {
      lines(await output(file), ['false'])
    })
  }
  await check('new Ring() says why, and what to do', async () => {
    const { code, errno, reason, remedy } = JSON.parse(
      await output('--input-type=module', '-e', REFUSED),
    ) as Record<string, unknown>
    assert.deepEqual({ code, errno }, { code: 'ERR_IO_URING_UNAVAILABLE', errno: -38 })
    assert.match(String(reason), /ENOSYS|no io_uring/)
    assert.match(String(remedy), /5\.10/)
    return String(reason)
  })
  await check('doctor: the addon is the one of the package of this platform; no io_uring', async () => {
    const { stdout, code } = await status(COMMAND, 'doctor', '--json')
    const { ok, addon } = JSON.parse(stdout) as { ok: boolean; addon: { origin?: string; package?: string } }
    assert.deepEqual({ ok, code, origin: addon.origin }, { ok: false, code: NO_IO_URING, origin: 'prebuilt' })
    assert.match(addon.package ?? '', new RegExp(`^uring-safe-cancel-${platform} `))
    const plain = await status(COMMAND, 'doctor')
    assert.equal(plain.code, NO_IO_URING)
    assert.match(plain.stdout, /io_uring/)
    return addon.package
  })
  await check('stress: no io_uring', async () => {
    const { code, stderr } = await status(COMMAND, 'stress', '--seconds', '1')
    assert.equal(code, NO_IO_URING)
    assert.match(stderr, /io_uring is not available here: this kernel has no io_uring/)
  })
}

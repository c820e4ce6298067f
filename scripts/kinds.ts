/** `npm run test:kinds`: see __test__/kinds/main.ts. As root it runs in a mount namespace of its own, so that no mount outlives it. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { main } from '../__test__/kinds/main.js'

const INSIDE = 'KINDS_INSIDE'
const args = process.argv.slice(2)

if (process.getuid?.() === 0 && process.env[INSIDE] === undefined) {
  const command = ['--mount', '--propagation', 'private', process.execPath, ...process.execArgv]
  const { status, error } = spawnSync('unshare', [...command, fileURLToPath(import.meta.url), ...args], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  if (error !== undefined) throw error
  process.exitCode = status ?? 1
} else {
  process.exitCode = await main(args, fileURLToPath(new URL('..', import.meta.url)))
  // Pipes of helpers that were killed may be half open.
  process.exit()
}

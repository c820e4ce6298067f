/**
 * `npm run test:kernels`: boots Debian's kernels in QEMU, runs the contract's tests and the stress test in each, and
 * writes docs/kernels.md. The last line is `N passed, N failed`.
 */
import { fileURLToPath } from 'node:url'

import { main } from './kernels/main.js'

process.exitCode = await main(process.argv.slice(2), fileURLToPath(new URL('..', import.meta.url)))

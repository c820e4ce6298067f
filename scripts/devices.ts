/**
 * `npm run test:devices`: boots Debian's kernels in QEMU with devices and their real drivers, does the same on each by
 * plain system calls, by node:fs and by the ring, and writes docs/devices.md. The last line is `N passed, N failed`.
 */
import { fileURLToPath } from 'node:url'

import { main } from './devices/main.js'

process.exitCode = await main(process.argv.slice(2), fileURLToPath(new URL('..', import.meta.url)))

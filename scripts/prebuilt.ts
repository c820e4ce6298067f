/**
 * `npm run build:prebuilt`: builds the addon for every target on one x64 machine, and judges its ELF headers. The last line
 * is `N passed, N failed`.
 */
import { fileURLToPath } from 'node:url'

import { main } from './prebuilt/main.js'

process.exitCode = await main(process.argv.slice(2), fileURLToPath(new URL('..', import.meta.url)))

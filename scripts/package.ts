/**
 * `npm run test:package`: tests what is published, as users install it. The last line is `N passed, N failed`.
 */
import { fileURLToPath } from 'node:url'

import { main } from './package/main.js'

process.exitCode = await main(process.argv.slice(2), fileURLToPath(new URL('..', import.meta.url)))

/** Prints what the sanitizer reported, also in processes whose death a test expected, and fails if that is anything. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { REPORTS } from './places.js'

const reports = readdirSync(REPORTS)
for (const report of reports) console.log(readFileSync(join(REPORTS, report), 'utf8'))
console.log(`${reports.length} reports of AddressSanitizer`)
process.exitCode = reports.length === 0 ? 0 : 1

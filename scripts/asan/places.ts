/** Where the build for AddressSanitizer lies, so that nobody else's is touched. */
import { execFileSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const HOME = fileURLToPath(new URL('../..', import.meta.url))
/** Cargo's target directory for instrumented builds. */
export const GROUND = join(HOME, 'target/asan')
/** The copy of the package that the tests run in. */
export const COPY = join(GROUND, 'package')
/** Programs that run in the place of others. */
export const BIN = join(GROUND, 'bin')
/** What the sanitizer reported, a file for each process. */
export const REPORTS = join(GROUND, 'reports')

export const TARGET = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`

/** gcc's runtime. rustc has one for programs only, not for a library that Node loads. */
export function runtime(): string {
  const path = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim()
  return realpathSync(path)
}

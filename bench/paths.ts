/** Where things are. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository: the benchmark runs as bench/dist/, its tests as bench/. */
export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)))

function findRoot(directory: string): string {
  if (existsSync(join(directory, 'Cargo.lock'))) return directory
  const parent = dirname(directory)
  if (parent === directory) throw new Error('the benchmark is not in its repository')
  return findRoot(parent)
}

/** The benchmark's own packages. */
export const PACKAGES = join(ROOT, 'bench')
/** The built library. */
export const LIBRARY = join(ROOT, 'dist', 'index.js')
/** The built programs of the variants. */
export const PROGRAMS = join(ROOT, 'bench', 'dist', 'variants')
/** Files of a run: on the disk that the repository is on, and ignored by git. */
export const SCRATCH = join(ROOT, 'target', 'bench')
/** The report, and what it includes. */
export const REPORT = join(ROOT, 'docs', 'performance.md')
/** Of two builds. */
export const AGAINST_REPORT = join(ROOT, 'docs', 'performance-against.md')
export const NOTES = join(ROOT, 'docs', 'performance-notes.md')
export const PLOTS = join(ROOT, 'docs', 'performance')

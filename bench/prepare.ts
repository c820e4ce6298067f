/** Makes what a run needs: packages, the floor, files. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { fileSystemOf, fitsInCache, makeFile, RANDOM_BYTES, SEQUENTIAL_BYTES } from './files.js'
import { PACKAGES, ROOT, SCRATCH } from './paths.js'
import type { Work } from './work.js'
import type { Ground } from './works/all.js'

function run(command: string, args: string[]): boolean {
  return spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0
}

/** Installs bench/'s packages, if they are not there. Without them the run goes on, with fewer peers. */
export function installPackages(): void {
  if (existsSync(join(PACKAGES, 'node_modules'))) return
  console.log('installing the packages of bench/ (Bun, Deno, vega)')
  if (!run('npm', ['ci', '--prefix', PACKAGES, '--ignore-scripts', '--loglevel', 'error'])) {
    console.log('npm ci failed: what it would have installed is left out')
  }
}

const PROGRAMS = ['uring-safe-cancel-floor', 'uring-safe-cancel-instructions']

/** Builds the programs of the workspace that the benchmark runs. */
export function buildPrograms(packages: readonly string[] = PROGRAMS): void {
  const args = packages.flatMap((name) => ['--package', name])
  if (!run('cargo', ['build', '--release', '--quiet', ...args])) throw new Error('cargo build failed')
}

/** Where the files are, and what else the works want to know of this machine. */
export function groundOf(processors: number, isQuick: boolean): Ground {
  mkdirSync(SCRATCH, { recursive: true })
  return {
    random: join(SCRATCH, 'random.bin'),
    sequential: join(SCRATCH, 'sequential.bin'),
    sequentialBytes: isQuick ? SEQUENTIAL_BYTES.quick : SEQUENTIAL_BYTES.full,
    written: join(SCRATCH, 'written.bin'),
    fileSystem: fileSystemOf(SCRATCH),
    processors,
  }
}

/** Makes the files that the works (and the count of instructions) use. Tells which works cannot be, and why. */
export function makeFiles(
  works: readonly Work[],
  ground: Ground,
  isCounting: boolean,
): { name: string; why: string }[] {
  const uses = (path: string) =>
    works.filter(({ variants }) => variants.some(({ settings }) => settings.path === path))
  if (isCounting || uses(ground.random).length > 0) makeFile(ground.random, RANDOM_BYTES)
  if (uses(ground.written).length > 0) makeFile(ground.written, RANDOM_BYTES)
  const sequential = uses(ground.sequential)
  if (sequential.length === 0) return []
  if (fitsInCache(ground.sequentialBytes)) {
    makeFile(ground.sequential, ground.sequentialBytes)
    return []
  }
  const why = 'too little memory is free to keep the file in the page cache'
  return sequential.map(({ title }) => ({ name: title, why }))
}

/** Removes them. */
export function removeFiles({ random, sequential, written }: Ground): void {
  for (const path of [random, sequential, written]) rmSync(path, { force: true })
}

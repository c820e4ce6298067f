/** Another commit's build: its own sources, its own addon and dist/, made once and kept below .cache/. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

import { output, spawnForOutput } from '../command.js'
import { ROOT } from '../paths.js'

/** Ignored by git, and free to be removed. */
const BUILDS = join(ROOT, '.cache', 'bench')

export interface Build {
  /** The commit, shortened. */
  commit: string
  /** Its dist/index.js. */
  library: string
  /** Its program for callgrind, or why there is none. */
  instructions: { program: string } | { missing: string }
}

/** Builds a commit, unless that was done before. Rejects with what it lacks or what failed. */
export async function buildOf(revision: string, progress: (text: string) => void): Promise<Build> {
  const { stdout, error } = await spawnForOutput('git', [
    'rev-parse',
    '--verify',
    '--quiet',
    '--end-of-options',
    `${revision}^{commit}`,
  ])
  const commit = stdout.trim()
  if (error !== '') {
    // It says nothing of a commit that it does not know.
    const why = error.startsWith('ended with') ? 'in a shallow clone: git fetch --unshallow' : error
    throw new Error(`--against ${revision}: git knows no such commit (${why})`)
  }
  const directory = join(BUILDS, commit)
  const built = join(directory, 'built')
  if (!existsSync(built)) {
    progress(`building ${commit.slice(0, 12)}`)
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory, { recursive: true })
    await make(commit, directory)
    // Last: what was interrupted is made anew.
    writeFileSync(built, '')
  }
  return {
    commit: commit.slice(0, 12),
    library: join(directory, 'dist', 'index.js'),
    instructions: instructionsIn(directory),
  }
}

async function make(commit: string, directory: string): Promise<void> {
  await output('bash', [
    '-c',
    'set -o pipefail; git archive --format=tar "$1" | tar -x -C "$2"',
    'unpack',
    commit,
    directory,
  ])
  await givePackages(directory)
  // A target directory that builds share would make each the other's.
  const target = join(directory, 'target')
  const options = { cwd: directory, env: { ...process.env, CARGO_TARGET_DIR: target } }
  await output('npm', ['run', 'build', '--loglevel', 'error'], '', options)
  const cargo = ['build', '--release', '--quiet', '--package', 'uring-safe-cancel-instructions']
  const { error } = await spawnForOutput('cargo', cargo, '', options)
  if (error === '')
    copyFileSync(join(target, 'release', 'instructions'), join(directory, 'instructions.program'))
  else writeFileSync(join(directory, 'instructions.missing'), error)
  // What cargo leaves is a hundred times what is needed of it.
  rmSync(target, { recursive: true })
}

function lockOf(root: string): string {
  return readFileSync(join(root, 'package-lock.json'), 'utf8')
}

/** The packages that it was locked to: those of this build, where they are the same. */
async function givePackages(directory: string): Promise<void> {
  const own = join(ROOT, 'node_modules')
  if (existsSync(own) && lockOf(directory) === lockOf(ROOT)) {
    symlinkSync(own, join(directory, 'node_modules'))
    return
  }
  await output('npm', ['ci', '--loglevel', 'error'], '', { cwd: directory })
}

function instructionsIn(directory: string): Build['instructions'] {
  const program = join(directory, 'instructions.program')
  if (existsSync(program)) return { program }
  return { missing: readFileSync(join(directory, 'instructions.missing'), 'utf8') }
}

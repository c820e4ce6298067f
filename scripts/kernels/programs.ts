/** Building what runs in the guest. It is built as `npm test` builds it, so that mostly nothing is left to do. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, extname, join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { mustRun } from '../common/commands.js'
import { Missing } from '../common/failure.js'
import { cargoFor } from '../prebuilt/build.js'
import type { Target } from '../prebuilt/targets.js'
import { RUST_SUITES } from './suites.js'

export interface Programs {
  /** The test programs of the core, by name. */
  rustSuites: Map<string, string>
  /** Without optimisation the window of the race would be another. */
  stress?: string
  /** Launchers, servers and an addon that tests use, by name. */
  helpers: Map<string, string>
  /** What takes their debug information from them. */
  strip: string
}

interface Artifact {
  target: { name: string; kind: string[] }
  profile: { test: boolean }
  executable: string | null
  filenames: string[]
}

async function cargo(
  root: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Artifact[]> {
  const all = [...args, '--message-format=json-render-diagnostics']
  const output = await mustRun('cargo', all, { cwd: root, env })
  return output.split('\n').flatMap((line) => {
    const message = line === '' ? {} : (JSON.parse(line) as Partial<Artifact>)
    const isLibrary = message.target?.kind.includes('cdylib') === true
    return message.executable || isLibrary ? [message as Artifact] : []
  })
}

/** Builds, and gives the paths. */
export async function buildPrograms(root: string): Promise<Programs> {
  if (!existsSync(join(root, 'dist/index.js')) || !existsSync(join(root, 'binding.cjs'))) {
    throw new Missing('there is no addon: npm run build')
  }
  const tests = await cargo(root, ['test', '--workspace', '--all-features', '--no-run'])
  return { rustSuites: suitesAmong(tests), strip: 'strip', ...(await buildTools(root, [])) }
}

/** Builds for another processor. Of the core's tests only those that are wanted: they are the most of it. */
export async function buildForeignPrograms(
  root: string,
  cache: Cache,
  target: Target,
  isWanted: (suite: string) => boolean,
): Promise<Programs> {
  const { args, env, gcc } = await cargoFor(root, cache, target)
  const suites = suitesOf(root)
    .filter(isWanted)
    .flatMap((name) => (name === LIBRARY ? ['--lib'] : ['--test', name]))
  const test = ['test', '--package', 'uring-safe-cancel', '--all-features', '--no-run', ...suites, ...args]
  const rustSuites = suites.length === 0 ? [] : await cargo(root, test, env)
  const strip = gcc.replace(/gcc$/, 'strip')
  return { rustSuites: suitesAmong(rustSuites), strip, ...(await buildTools(root, args, env)) }
}

/** The unit tests of the core. */
const LIBRARY = 'lib'

function isSuite(name: string): boolean {
  return RUST_SUITES.some((suite) => suite.test(name))
}

/** The core's test programs, before they are built. */
function suitesOf(root: string): string[] {
  const files = readdirSync(join(root, 'crates/uring-safe-cancel/tests')).filter(
    (name) => extname(name) === '.rs',
  )
  return [LIBRARY, ...files.map((name) => basename(name, '.rs'))].filter(isSuite)
}

function suitesAmong(artifacts: readonly Artifact[]): Map<string, string> {
  const suites = new Map<string, string>()
  for (const { target, profile, executable } of artifacts) {
    if (!profile.test || executable?.includes('/deps/') !== true) continue
    const isLibrary = target.kind.includes('lib') && target.name === 'uring_safe_cancel'
    const name = isLibrary ? LIBRARY : target.name
    if ((isLibrary || target.kind.includes('test')) && isSuite(name)) suites.set(name, executable)
  }
  return suites
}

async function buildTools(
  root: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Pick<Programs, 'stress' | 'helpers'>> {
  const helpers = await buildHelpers(root, args, env)
  const release = ['build', '--release', '--package', 'uring-safe-cancel-stress', ...args]
  const built = await cargo(root, release, env)
  const stress = built.find(({ target }) => target.name === 'uring-safe-cancel-stress')?.executable
  if (!stress) throw new Error('cargo built no uring-safe-cancel-stress')
  return { stress, helpers }
}

/** Launchers and servers that tests use. */
export async function buildHelpers(
  root: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Map<string, string>> {
  const packages = ['uring-safe-cancel-sandbox', 'uring-safe-cancel-kinds'].flatMap((name) => [
    '--package',
    name,
  ])
  const built = await cargo(root, ['build', ...packages, ...args], env)
  return new Map(
    built.flatMap(({ target, executable, filenames }) => {
      if (executable !== null) return [[target.name, executable] as const]
      // An addon is loaded by the name of its file.
      return filenames.filter((name) => name.endsWith('.so')).map((name) => [basename(name), name] as const)
    }),
  )
}

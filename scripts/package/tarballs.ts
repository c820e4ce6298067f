/** The tarballs, made as they are when the packages are published. */
import { cpSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'

import { reachable } from '../common/declarations.js'
import { mustRun } from '../common/commands.js'
import { Missing } from '../common/failure.js'
import { sorted } from '../common/sorted.js'
import { addonOf, type Target, TARGETS } from '../prebuilt/targets.js'

export interface Tarball {
  name: string
  path: string
  /** Its files, sorted. */
  files: readonly string[]
  packedBytes: number
  unpackedBytes: number
}

const LOADER = ['binding.cjs', 'binding.d.cts']
/** What belongs to the package, from the repository's root. */
const PACKAGE = ['package.json', 'README.md', 'LICENSE', 'dist', 'binding.cjs', 'npm']

/** The targets whose addons are built: those that are needed must be among them. */
export function builtTargets(root: string, needed: readonly string[]): Target[] {
  const built = TARGETS.filter((target) => existsSync(join(root, addonOf(target))))
  for (const own of needed) {
    if (!built.some(({ name }) => name === own)) {
      throw new Missing(`there is no prebuilt addon for ${own}: npm run build:prebuilt -- --target ${own}`)
    }
  }
  return built
}

/** Copies what is packed to a place where a publisher's tools may change it, and lets them. */
export async function stage(root: string, directory: string): Promise<void> {
  // What loads the addon, and its types: napi writes them when it builds, for whichever target.
  if (!LOADER.every((name) => existsSync(join(root, name)))) {
    await mustRun('npm', ['run', 'build:native'], { cwd: root })
  }
  await mustRun('npm', ['run', 'prepack'], { cwd: root })
  for (const name of PACKAGE) cpSync(join(root, name), join(directory, name), { recursive: true })
  // What packing left out the repository's own tests and examples need.
  await mustRun('npm', ['run', 'build:ts'], { cwd: root })
  // napi publishes all targets or none. What was not built is not packed here: an empty file stands for it.
  for (const target of TARGETS) writeFileSync(join(directory, addonOf(target)), '', { flag: 'a' })
  // As prepublishOnly does: it names the packages of the targets as optional dependencies.
  const napi = join(root, 'node_modules/.bin/napi')
  const args = ['pre-publish', '-t', 'npm', '--no-gh-release', '--skip-optional-publish']
  await mustRun(napi, args, { cwd: directory })
}

interface Packed {
  name: string
  filename: string
  size: number
  unpackedSize: number
  files: { path: string }[]
}

/** Packs a package, without its scripts. */
export async function pack(directory: string, destination: string): Promise<Tarball> {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination]
  const printed = JSON.parse(await mustRun('npm', args, { cwd: directory })) as
    Packed[] | Record<string, Packed>
  // npm 12 prints an object by names, and those before it a list.
  const [packed] = Object.values(printed)
  if (packed === undefined) throw new Error(`npm packed nothing of ${directory}`)
  const { name, filename, size, unpackedSize, files } = packed
  return {
    name,
    path: join(destination, basename(filename)),
    files: sorted(files.map(({ path }) => path)),
    packedBytes: size,
    unpackedBytes: unpackedSize,
  }
}

/**
 * What the root package holds, and nothing else: what is compiled from each source file, and the declarations that a
 * program can reach.
 */
export function expectedFiles(root: string): string[] {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const modules = sources.filter((name) => name.endsWith('.ts')).map((name) => `src/${name.slice(0, -3)}`)
  const compiled = ['index', ...modules].map((name) => `dist/${name}.js`)
  const declarations = [...reachable(join(root, 'dist/index.d.ts'))].map((path) => relative(root, path))
  return sorted([...compiled, ...declarations, 'binding.cjs', 'LICENSE', 'package.json', 'README.md'])
}

/** What the package of a target holds. */
export function expectedTargetFiles(target: Target): string[] {
  return sorted([basename(addonOf(target)), 'LICENSE', 'package.json', 'README.md'])
}

/** The newest kernel of a series, unpacked. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'

import type { Architecture } from './architecture.js'
import type { Cache } from './cache.js'
import { mustRun } from './commands.js'
import { type Mirror, Suites } from './debian.js'
import { candidates, type DebianPackage } from './package-names.js'
import type { Series } from './series.js'
import { sorted } from './sorted.js'

export interface Kernel {
  series: string
  package: DebianPackage
  image: string
  /** FUSE's module, uncompressed; undefined if there is none, and FUSE is not to be had. */
  fuse: string | undefined
}

/** A series that cannot be booted, because Debian has it no more. */
export interface MissingKernel {
  series: string
  why: string
}

const IMAGES = ['./boot/vmlinuz-*', './usr/lib/modules/*/vmlinuz']
const MODULES = ['./lib/modules/*/kernel/fs/fuse/fuse.ko*', './usr/lib/modules/*/kernel/fs/fuse/fuse.ko*']

/** Fetches the newest kernel of a series that its suites really hold. */
export async function fetchKernel(
  cache: Cache,
  mirror: Mirror,
  series: Series,
  architecture: Architecture,
): Promise<Kernel | MissingKernel> {
  const { debian, kernelFlavour } = architecture
  const suites = new Suites(cache, mirror, series.suites, debian)
  const gone = await suites.update()
  const names = (await suites.list(kernelFlavour)).filter(({ name }) => name.startsWith('linux-'))
  const possible = candidates(names, series.name, kernelFlavour)
  for (const candidate of possible) {
    const directory = await suites.unpacked(candidate, [...IMAGES, ...MODULES])
    const image = directory && findFile(directory, /^vmlinuz/)
    if (image) {
      const fuse = await fuseModule(suites, candidate, directory, names)
      return { series: series.name, package: candidate, image, fuse }
    }
  }
  const where = series.suites.join(' and ')
  const listed = possible.length === 0 ? 'list none' : `list ${possible.length}, and none can be fetched`
  return { series: series.name, why: `${where} ${listed}${gone === undefined ? '' : ` (${gone})`}` }
}

async function fuseModule(
  suites: Suites,
  kernel: DebianPackage,
  directory: string,
  names: readonly DebianPackage[],
): Promise<string | undefined> {
  let found = findFile(directory, /^fuse\.ko/)
  const modules = kernel.name.replace('linux-binary-', 'linux-modules-')
  if (found === undefined && names.some(({ name }) => name === modules)) {
    const other = await suites.unpacked({ name: modules, version: kernel.version }, MODULES)
    found = other && findFile(other, /^fuse\.ko/)
  }
  if (found === undefined || !found.endsWith('.xz')) return found
  const plain = found.slice(0, -'.xz'.length)
  // The insmod of busybox reads no compressed modules.
  if (!existsSync(plain)) await mustRun('xz', ['--decompress', '--keep', found])
  return plain
}

function findFile(directory: string, pattern: RegExp): string | undefined {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && pattern.test(entry.name))
  const paths = files.map((entry) => join(entry.parentPath, entry.name))
  // The uncompressed one, where there are both.
  return sorted(paths, (one, other) => basename(one).length - basename(other).length)[0]
}

/** The newest kernel of a series, unpacked. */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'

import type { Architecture } from './architecture.js'
import type { Cache } from '../common/cache.js'
import { mustRun } from '../common/commands.js'
import { type Mirror, Suites } from '../common/debian.js'
import { Missing } from '../common/failure.js'
import { fetchGoModule } from '../common/go-module.js'
import type { DebianPackage } from '../common/package-index.js'
import { sorted } from '../common/sorted.js'
import { candidates } from './package-names.js'
import type { DebianSeries, ModuleSeries, Series } from './series.js'

export interface Kernel {
  series: string
  package: DebianPackage
  image: string
  /** Its modules that the guest needs, uncompressed. */
  modules: readonly string[]
}

/** A series that cannot be booted, because it is not, or no longer, to be had. */
export interface MissingKernel {
  series: string
  why: string
}

const IMAGES = ['./boot/vmlinuz-*', './usr/lib/modules/*/vmlinuz']
/** For disks, for a server of files that never answers, and for the kinds matrix. What is not among its modules is part of the kernel. */
const MODULES = [
  'virtio',
  'virtio_ring',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_pci',
  'virtio_blk',
  'crc16',
  'crc32c_generic',
  'mbcache',
  'jbd2',
  'ext4',
  'fuse',
  'loop',
  'overlay',
  'tun',
]

function filesOf(modules: readonly string[]): string[] {
  return modules.flatMap((name) => [`./lib/modules/*/${name}.ko*`, `./usr/lib/modules/*/${name}.ko*`])
}

/** Fetches the newest kernel of a series that its suites really hold, with those of the modules that are files there. */
export async function fetchKernel(
  cache: Cache,
  mirror: Mirror,
  series: Series,
  architecture: Pick<Architecture, 'name' | 'debian' | 'kernelFlavour'>,
  modules: readonly string[] = MODULES,
): Promise<Kernel | MissingKernel> {
  if ('module' in series) return fetchFromModule(cache, series, architecture)
  return fetchFromDebian(cache, mirror, series, architecture, modules)
}

async function fetchFromModule(
  cache: Cache,
  { name, module, version, architecture: wanted }: ModuleSeries,
  architecture: Pick<Architecture, 'name'>,
): Promise<Kernel | MissingKernel> {
  if (architecture.name !== wanted) return { series: name, why: `${module.module} is for ${wanted}` }
  try {
    const image = join(await fetchGoModule(cache, module), 'vmlinuz')
    return { series: name, package: { name: module.module, version }, image, modules: [] }
  } catch (error) {
    // Nothing but this one kernel depends on it.
    if (error instanceof Missing) return { series: name, why: error.message }
    throw error
  }
}

async function fetchFromDebian(
  cache: Cache,
  mirror: Mirror,
  series: DebianSeries,
  architecture: Pick<Architecture, 'debian' | 'kernelFlavour'>,
  modules: readonly string[],
): Promise<Kernel | MissingKernel> {
  const { debian, kernelFlavour } = architecture
  const suites = new Suites(cache, mirror, series.suites, debian)
  const gone = await suites.update()
  const names = (await suites.list(kernelFlavour)).filter(({ name }) => name.startsWith('linux-'))
  const possible = candidates(names, series.name, kernelFlavour)
  for (const candidate of possible) {
    const directory = await suites.unpacked(candidate, [...IMAGES, ...filesOf(modules)])
    const image = directory && findFile(directory, /^vmlinuz/)
    if (image) {
      const files = await modulesOf(suites, candidate, directory, names, modules)
      return { series: series.name, package: candidate, image, modules: files }
    }
  }
  const where = series.suites.join(' and ')
  const listed = possible.length === 0 ? 'list none' : `list ${possible.length}, and none can be fetched`
  return { series: series.name, why: `${where} ${listed}${gone === undefined ? '' : ` (${gone})`}` }
}

async function modulesOf(
  suites: Suites,
  kernel: DebianPackage,
  directory: string,
  names: readonly DebianPackage[],
  modules: readonly string[],
): Promise<string[]> {
  const directories = [directory]
  const other = kernel.name.replace('linux-binary-', 'linux-modules-')
  if (other !== kernel.name && names.some(({ name }) => name === other)) {
    const unpacked = await suites.unpacked({ name: other, version: kernel.version }, filesOf(modules))
    if (unpacked !== undefined) directories.push(unpacked)
  }
  const paths: string[] = []
  for (const module of modules) {
    const found = directories.map((path) => findFile(path, new RegExp(String.raw`^${module}\.ko(\.xz)?$`)))
    const path = found.find((candidate) => candidate !== undefined)
    if (path !== undefined) paths.push(await uncompressed(path))
  }
  return paths
}

/** The insmod of busybox reads no compressed modules. */
async function uncompressed(path: string): Promise<string> {
  if (!path.endsWith('.xz')) return path
  const plain = path.slice(0, -'.xz'.length)
  if (!existsSync(plain)) await mustRun('xz', ['--decompress', '--keep', path])
  return plain
}

function findFile(directory: string, pattern: RegExp): string | undefined {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && pattern.test(entry.name))
  const paths = files.map((entry) => join(entry.parentPath, entry.name))
  // The uncompressed one, where there are both.
  return sorted(paths, (one, other) => basename(one).length - basename(other).length)[0]
}

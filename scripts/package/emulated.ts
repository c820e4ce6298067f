/**
 * Node for arm64 on this machine, in QEMU's emulation of programs. It loads the addon as a user's would, and has no
 * io_uring: the call answers ENOSYS, as it does on a kernel without.
 */
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { configuredMirrors, demandKeyring, Suites } from '../common/debian.js'
import { Missing } from '../common/failure.js'
import { fetchMuslNode } from '../common/musl-node.js'
import { laySystem } from '../common/system-tree.js'
import { fetchRuntime, type Runtime } from './runtimes.js'

const SUITES = ['trixie', 'trixie-security']
/** In this suite the program is linked statically: it needs nothing else of it. */
const QEMU = { package: 'qemu-user', program: 'usr/bin/qemu-aarch64' }
/** What Node is linked to. */
const LIBRARIES = ['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1']

/** Fetches what it takes, and gives the path of a program that runs the runtime's Node. */
export async function makeEmulatedNode(cache: Cache, ground: string, runtime: Runtime): Promise<string> {
  demandKeyring()
  const [emulator] = await unpack(cache, 'amd64', [QEMU.package], [`./${QEMU.program}`])
  const system = join(ground, `system-${runtime.name}`)
  mkdirSync(system)
  const node = runtime.packaged
    ? await layGlibc(cache, runtime.packaged, system)
    : await layMusl(cache, system)
  const launcher = join(ground, `launch-${runtime.name}`)
  writeFileSync(launcher, `#!/bin/sh\nexec '${emulator}/${QEMU.program}' -L '${system}' '${node}' "$@"\n`)
  chmodSync(launcher, 0o755)
  return launcher
}

async function layGlibc(
  cache: Cache,
  packaged: NonNullable<Runtime['packaged']>,
  system: string,
): Promise<string> {
  laySystem(await unpack(cache, 'arm64', LIBRARIES), system)
  return fetchRuntime(cache, packaged)
}

async function layMusl(cache: Cache, system: string): Promise<string> {
  const { directory, program, libc, loader } = await fetchMuslNode(cache, 'arm64')
  for (const name of ['lib', 'usr/bin']) mkdirSync(join(system, name), { recursive: true })
  cpSync(libc, join(system, 'lib', loader))
  // As on Alpine. What loads addons reads it to learn which libc it has, and would find this machine's.
  writeFileSync(join(system, 'usr/bin/ldd'), `#!/bin/sh\nexec /lib/${loader} --list "$@"\n`)
  return join(directory, program)
}

async function unpack(
  cache: Cache,
  architecture: string,
  names: readonly string[],
  patterns?: readonly string[],
): Promise<string[]> {
  const suites = new Suites(cache, await configuredMirrors(cache), SUITES, architecture)
  await suites.update()
  const directories: string[] = []
  for (const name of names) {
    const directory = await suites.unpacked(await suites.newest(name), patterns)
    if (directory === undefined) throw new Missing(`the Debian mirror lists ${name}, but does not have it`)
    directories.push(directory)
  }
  return directories
}

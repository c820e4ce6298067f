/**
 * The runtimes that the package is tested on, mostly from npm: packages of one binary, without scripts. Those for arm64 are
 * emulated, and have no io_uring (emulated.ts).
 */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { mustRun } from '../common/commands.js'
import { MUSL_NODE_VERSION } from '../common/musl-node.js'
import { fetchNpm, type NpmPackage } from '../common/npm-package.js'
import type { Libc } from '../prebuilt/targets.js'

/** One that comes from npm. */
interface Packaged extends NpmPackage {
  /** Its program in the package. */
  program: string
}

export interface Runtime {
  name: string
  kind: 'node' | 'bun' | 'deno'
  libc: Libc
  cpu: 'x64' | 'arm64'
  version: string
  /** Undefined: it is Node for musl (common/musl-node.ts). */
  packaged?: Packaged
  /** What comes before the file that it runs. */
  args: readonly string[]
}

/** The target whose package it loads. */
export function platformOf({ cpu, libc }: Runtime): string {
  return `linux-${cpu}-${libc}`
}

function node(version: string, integrity: string, cpu: Runtime['cpu'] = 'x64'): Runtime {
  const packaged = { package: `node-linux-${cpu}`, version, integrity, program: 'bin/node' }
  const name = `node${version.split('.')[0]}${cpu === 'x64' ? '' : `-${cpu}`}`
  return { name, kind: 'node', libc: 'gnu', cpu, version, packaged, args: [] }
}

export const RUNTIMES: readonly Runtime[] = [
  node(
    '20.20.2',
    'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  ),
  node(
    '22.23.3',
    'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  ),
  node(
    '24.21.0',
    'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  ),
  node(
    '26.10.0',
    'sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==',
  ),
  {
    name: 'bun',
    kind: 'bun',
    libc: 'gnu',
    cpu: 'x64',
    version: '1.4.5',
    packaged: {
      // The other build needs AVX2, which virtual machines may not have.
      package: '@oven/bun-linux-x64-baseline',
      version: '1.4.5',
      integrity:
        'sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==',
      program: 'bin/bun',
    },
    args: [],
  },
  {
    name: 'deno',
    kind: 'deno',
    libc: 'gnu',
    cpu: 'x64',
    version: '2.9.6',
    packaged: {
      package: '@deno/linux-x64-glibc',
      version: '2.9.6',
      integrity:
        'sha512-3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ==',
      program: 'deno',
    },
    args: ['run', '--allow-all'],
  },
  { name: 'node24-musl', kind: 'node', libc: 'musl', cpu: 'x64', version: MUSL_NODE_VERSION, args: [] },
  node(
    '20.20.2',
    'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
    'arm64',
  ),
  {
    name: 'node24-arm64-musl',
    kind: 'node',
    libc: 'musl',
    cpu: 'arm64',
    version: MUSL_NODE_VERSION,
    args: [],
  },
]

/** The path of a runtime's program. */
export async function fetchRuntime(cache: Cache, packaged: Packaged): Promise<string> {
  const { program } = packaged
  const directory = await fetchNpm(cache, packaged, (tarball, destination) =>
    mustRun('tar', ['-xzf', tarball, '-C', destination, '--strip-components=1', `package/${program}`]),
  )
  const path = join(directory, program)
  chmodSync(path, 0o755)
  return path
}

/** Building the addon of one target. */
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { mustRun } from '../common/commands.js'
import { prepareMusl } from './musl.js'
import { type Rust, rustFor } from './rust.js'
import { addonOf, type Target } from './targets.js'
import { fetchGcc } from './toolchain.js'

const CRATE = 'uring-safe-cancel-node'
const LIBRARY = 'liburing_safe_cancel_node.so'

/** How cargo is called for a target. */
export interface CargoFor {
  args: readonly string[]
  env: NodeJS.ProcessEnv
  /** Where what it builds lies. */
  directory: string
  /** The path of the target's gcc, beside which its binutils are. */
  gcc: string
  rust: Rust
}

/** Fetches what it takes to build for a target. */
export async function cargoFor(root: string, cache: Cache, target: Target): Promise<CargoFor> {
  const rust = await rustFor(cache, target)
  const gcc = await fetchGcc(cache, target.toolchain)
  const musl = target.libc === 'musl' ? await prepareMusl(cache, target, gcc) : undefined
  const directory = join(root, 'target/prebuilt', rust.name)
  const standardLibrary = rust.buildsStandardLibrary ? ['-Zbuild-std=std,panic_abort'] : []
  const flags = [...(musl?.rustFlags ?? []), ...withoutPaths(root, rust)]
  return {
    args: ['--locked', '--target', target.triple, '--target-dir', directory, ...standardLibrary],
    env: {
      RUSTC: rust.rustc,
      CARGO_ENCODED_RUSTFLAGS: flags.join('\u001f'),
      [`CARGO_TARGET_${target.triple.toUpperCase().replaceAll('-', '_')}_LINKER`]: musl?.linker ?? gcc,
      // A stable rustc builds its standard library only so.
      ...(rust.buildsStandardLibrary && { RUSTC_BOOTSTRAP: '1' }),
    },
    directory: join(directory, target.triple),
    gcc,
    rust,
  }
}

/** Builds it, lays it into its package, and says by which rustc it was built. What lay there before is gone in any case. */
export async function build(root: string, cache: Cache, target: Target): Promise<string> {
  const addon = join(root, addonOf(target))
  rmSync(addon, { force: true })
  const { args, env, directory, rust } = await cargoFor(root, cache, target)
  await mustRun('cargo', ['build', '--release', '--package', CRATE, ...args], {
    cwd: root,
    env: { ...env, CARGO_PROFILE_RELEASE_STRIP: 'symbols', CARGO_PROFILE_RELEASE_DEBUG: 'none' },
  })
  mkdirSync(dirname(addon), { recursive: true })
  cpSync(join(directory, 'release', LIBRARY), addon)
  return rust.name
}

/** Directories of this machine that must not be in what others install: messages of panics name source files. */
export function privatePaths(root: string): string[] {
  return [root.replace(/\/$/, ''), cargoHome(), homedir()].filter((path) => path.length > 1)
}

function withoutPaths(root: string, { sysroot }: Rust): string[] {
  // The last that fits is taken.
  const names = {
    [homedir()]: '~',
    [cargoHome()]: 'cargo',
    [root.replace(/\/$/, '')]: '.',
    [sysroot]: 'rust',
  }
  return Object.entries(names).map(([path, name]) => `--remap-path-prefix=${path}=${name}`)
}

function cargoHome(): string {
  return process.env['CARGO_HOME'] ?? join(homedir(), '.cargo')
}

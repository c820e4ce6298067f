/** Building the addon of one target. */
import { cpSync, mkdirSync } from 'node:fs'
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

/** Builds it, lays it into its package, and says by which rustc it was built. */
export async function build(root: string, cache: Cache, target: Target): Promise<string> {
  const rust = await rustFor(cache, target)
  const gcc = await fetchGcc(cache, target.toolchain)
  const musl = target.libc === 'musl' ? await prepareMusl(cache, target, gcc) : undefined
  const directory = join(root, 'target/prebuilt', rust.name)
  const standardLibrary = rust.buildsStandardLibrary ? ['-Zbuild-std=std,panic_abort'] : []
  const args = [
    '--release',
    '--locked',
    '--package',
    CRATE,
    '--target',
    target.triple,
    '--target-dir',
    directory,
  ]
  const flags = [...(musl?.rustFlags ?? []), ...withoutPaths(root, rust)]
  await mustRun('cargo', ['build', ...args, ...standardLibrary], {
    cwd: root,
    env: {
      RUSTC: rust.rustc,
      CARGO_ENCODED_RUSTFLAGS: flags.join('\u001f'),
      [`CARGO_TARGET_${target.triple.toUpperCase().replaceAll('-', '_')}_LINKER`]: musl?.linker ?? gcc,
      CARGO_PROFILE_RELEASE_STRIP: 'symbols',
      CARGO_PROFILE_RELEASE_DEBUG: 'none',
      // A stable rustc builds its standard library only so.
      ...(rust.buildsStandardLibrary && { RUSTC_BOOTSTRAP: '1' }),
    },
  })
  const addon = join(root, addonOf(target))
  mkdirSync(dirname(addon), { recursive: true })
  cpSync(join(directory, target.triple, 'release', LIBRARY), addon)
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

/** Which rustc builds a target: the machine's own, if it has the target's standard library, or else Debian's. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { demand, mustRun, run } from '../common/commands.js'
import { Missing } from '../common/failure.js'
import { fetchDebianRust } from './debian-rust.js'
import type { Target } from './targets.js'

export interface Rust {
  rustc: string
  /** What builds of it are told apart by. No rustc can use what another one has built. */
  name: string
  sysroot: string
  /** Whether the standard library has to be built too. */
  buildsStandardLibrary: boolean
}

/** Finds a rustc for the target, and fetches Debian's if it takes that. */
export async function rustFor(cache: Cache, target: Target): Promise<Rust> {
  const advice = 'cargo-web rustc-web (or rustup, from https://rustup.rs)'
  demand('cargo', advice)
  const own = process.env['RUSTC'] ?? 'rustc'
  if (own === 'rustc') demand(own, advice)
  if (await hasStandardLibrary(own, target)) return describe(own, false)
  const sources = target.libc === 'musl'
  try {
    return await describe(await fetchDebianRust(cache, { sources }), sources)
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    const instead = `rustup target add ${target.triple} does without Debian's rustc`
    throw new Missing(`${error.message} (${instead})`, { cause: error })
  }
}

/** Whether this rustc can build for the target as it is. */
export async function hasStandardLibrary(rustc: string, { triple }: Target): Promise<boolean> {
  const { status, stdout } = await run(rustc, ['--print', 'target-libdir', '--target', triple])
  return status === 0 && existsSync(stdout.trim())
}

async function describe(rustc: string, buildsStandardLibrary: boolean): Promise<Rust> {
  const version = await mustRun(rustc, ['-vV'])
  const [, release = 'unknown'] = /^release: (.+)$/m.exec(version) ?? []
  const [, hash = 'unknown'] = /^commit-hash: (.+)$/m.exec(version) ?? []
  const sysroot = (await mustRun(rustc, ['--print', 'sysroot'])).trim()
  // Debian's is of the same commit as rustup's, but of another build.
  const builder = version.includes('source tarball') ? 'debian' : hash.slice(0, 9)
  const source = buildsStandardLibrary ? '-std' : ''
  return { rustc, name: `${release}-${builder}${source}`, sysroot: join(sysroot), buildsStandardLibrary }
}

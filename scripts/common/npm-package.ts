/** Packages of the npm registry, pinned: the same bytes whatever day it is. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Cache } from './cache.js'
import { run } from './commands.js'
import { Missing } from './failure.js'

export interface NpmPackage {
  package: string
  version: string
  /** What npm says of its tarball. */
  integrity: string
}

/** A directory of the cache that `unpack` has filled from the package's tarball. */
export async function fetchNpm(
  cache: Cache,
  wanted: NpmPackage,
  unpack: (tarball: string, directory: string) => Promise<unknown>,
): Promise<string> {
  const name = `${wanted.package}@${wanted.version}`
  return cache.directory(name.replace(/^@/, '').replaceAll('/', '+'), async (destination) => {
    const download = cache.scratch('download')
    const { status, stderr } = await run(
      'npm',
      ['pack', '--loglevel=error', name, '--pack-destination', download],
      {
        cwd: download,
      },
    )
    const [file] = readdirSync(download)
    if (status !== 0 || file === undefined) {
      const [why = `it ended with ${status}`, more = ''] = stderr.trim().split('\n')
      throw new Missing(`npm does not give ${name}: ${why}; ${more}`)
    }
    const tarball = join(download, file)
    const found = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`
    if (found !== wanted.integrity) throw new Missing(`${name} has the wrong contents: ${found}`)
    await unpack(tarball, destination)
  })
}

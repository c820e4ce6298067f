/** Node for the guest, from npm: the same version whatever the host has. */
import { join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { mustRun } from '../common/commands.js'
import { fetchNpm, type NpmPackage } from '../common/npm-package.js'

/** The path of the program. */
export async function fetchNode(cache: Cache, node: NpmPackage): Promise<string> {
  const directory = await fetchNpm(cache, node, (tarball, destination) =>
    mustRun('tar', ['-xzf', tarball, '-C', destination, '--strip-components=1', 'package/bin/node']),
  )
  return join(directory, 'bin/node')
}

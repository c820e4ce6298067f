/** Node for the guest, from npm: the same version whatever the host has. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Architecture } from './architecture.js'
import type { Cache } from './cache.js'
import { mustRun, run } from './commands.js'
import { Missing } from './failure.js'

/** The path of the program. */
export async function fetchNode(cache: Cache, { node }: Architecture): Promise<string> {
  const name = `${node.package}@${node.version}`
  const directory = await cache.directory(name, async (destination) => {
    const download = cache.scratch('download')
    const { status, stderr } = await run('npm', ['pack', '--silent', name, '--pack-destination', download], {
      cwd: download,
    })
    const [file] = readdirSync(download)
    if (status !== 0 || file === undefined) {
      throw new Missing(`npm does not give ${name}: ${stderr.trim().split('\n')[0]}`)
    }
    const tarball = join(download, file)
    const found = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`
    if (found !== node.integrity) throw new Missing(`${name} has the wrong contents: ${found}`)
    await mustRun('tar', ['-xzf', tarball, '-C', destination, '--strip-components=1', 'package/bin/node'])
  })
  return join(directory, 'bin/node')
}

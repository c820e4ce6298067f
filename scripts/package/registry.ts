/** A registry on this machine's loopback, with the tarballs as if they had been published, and nothing else. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, dirname } from 'node:path'

import { mustRun } from '../common/commands.js'
import type { Tarball } from './tarballs.js'

export type Manifest = Record<string, unknown> & { name: string; version: string }

/** The package.json in a tarball: what npm is told of it. */
export async function manifestOf({ path }: Tarball): Promise<Manifest> {
  const args = ['-xzOf', path, 'package/package.json']
  return JSON.parse(await mustRun('tar', args, { cwd: dirname(path) })) as Manifest
}

/** Serves them until it is closed. */
export class Registry {
  readonly address: string
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async open(tarballs: readonly Tarball[]): Promise<Registry> {
    const answers = new Map<string, Buffer | string>()
    const server = createServer(({ url = '' }, response) => {
      const answer = answers.get(decodeURIComponent(url))
      if (answer === undefined) response.writeHead(404).end('{}')
      else response.writeHead(200).end(answer)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const registry = new Registry(server)
    for (const tarball of tarballs) {
      const { name, version, ...manifest } = await manifestOf(tarball)
      const file = `/-/${basename(tarball.path)}`
      const bytes = readFileSync(tarball.path)
      const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
      const dist = { tarball: `${registry.address}${file}`, integrity }
      const versions = { [version]: { name, version, ...manifest, dist } }
      answers.set(file, bytes)
      answers.set(`/${name}`, JSON.stringify({ name, 'dist-tags': { latest: version }, versions }))
    }
    return registry
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

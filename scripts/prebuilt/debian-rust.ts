/**
 * The rustc of Debian's security suite (`rustc-web`, built for its browsers), which has a standard library for arm64 and
 * its sources. It is unpacked below the cache and run from there; this machine's packages stay as they are.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { mustRun } from '../common/commands.js'
import { configuredMirrors, demandKeyring, Suites } from '../common/debian.js'
import { Missing } from '../common/failure.js'
import type { DebianPackage } from '../common/package-index.js'

const SUITES = ['bookworm', 'bookworm-security'] as const
const STANDARD_LIBRARY = 'libstd-rust-web-dev'
/** The sources of the whole compiler are ten times as many. */
const SOURCES = ['./usr/lib/rustlib/src', './usr/src/*/library', './usr/src/*/Cargo.lock']

/** What any machine has on which gcc runs: the compiler's other libraries are fetched. */
const INSTALLED = new Set(['libc6', 'libgcc-s1', 'libstdc++6'])

/** The path of rustc. With the sources, the standard library can be built for further targets. */
export async function fetchDebianRust(cache: Cache, parts: { sources: boolean }): Promise<string> {
  demandKeyring()
  const mirror = await configuredMirrors(cache)
  const host = new Suites(cache, mirror, SUITES, 'amd64')
  const arm64 = new Suites(cache, mirror, SUITES, 'arm64')
  await host.update()
  await arm64.update()
  // The arm64 build of a security update may come a day later. Both have to be of one version.
  const { version } = await arm64.newest(STANDARD_LIBRARY)
  const name = `debian-rust_${version.replaceAll(':', '%3a')}${parts.sources ? '_sources' : ''}`
  const directory = await cache.directory(name, async (tree) => {
    const merge = async (suites: Suites, wanted: DebianPackage, patterns?: readonly string[]) => {
      const unpacked = await suites.unpacked(wanted, patterns)
      if (unpacked === undefined) {
        throw new Missing(`the Debian mirror lists ${wanted.name} ${wanted.version}, but does not have it`)
      }
      await mustRun('cp', ['--archive', '--link', `${unpacked}/.`, tree])
    }
    await merge(arm64, { name: STANDARD_LIBRARY, version })
    for (const wanted of await compiler(host, version)) await merge(host, wanted)
    if (parts.sources) await merge(host, { name: 'rust-web-src', version }, SOURCES)
    writeLauncher(tree)
  })
  return join(directory, LAUNCHER)
}

/** rustc, its standard library, and the shared libraries that they need. */
async function compiler(suites: Suites, version: string): Promise<DebianPackage[]> {
  const found = new Map<string, DebianPackage>()
  const names = ['rustc-web', STANDARD_LIBRARY]
  for (const name of names) {
    if (found.has(name) || INSTALLED.has(name)) continue
    const { depends = [], ...newest } = await suites.newest(name)
    found.set(name, name.includes('rust') ? { name, version } : newest)
    names.push(...depends.filter((other) => /^(lib(?!c6?-)|zlib)/.test(other)))
  }
  return [...found.values()]
}

const LAUNCHER = 'bin/rustc'

/** It finds itself, because the tree gets its name when it is whole. */
function writeLauncher(tree: string): void {
  mkdirSync(join(tree, 'bin'))
  writeFileSync(
    join(tree, LAUNCHER),
    `#!/bin/sh
tree=\${0%/bin/rustc}
LD_LIBRARY_PATH=$tree/usr/lib/x86_64-linux-gnu:$tree/lib/x86_64-linux-gnu exec "$tree/usr/bin/rustc" "$@"
`,
  )
  chmodSync(join(tree, LAUNCHER), 0o755)
}

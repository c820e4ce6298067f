/** Debian's musl, made fit for the cross compilers: their gcc links for musl with it. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

import type { Cache } from '../common/cache.js'
import { configuredMirrors, demandKeyring, Suites } from '../common/debian.js'
import { Missing } from '../common/failure.js'
import type { Target } from './targets.js'

export interface Musl {
  /** A linker for rustc. */
  linker: string
  /** What rustc has to be told beside it. */
  rustFlags: readonly string[]
}

/** Lays out musl's files for a target whose gcc is given. */
export async function prepareMusl(cache: Cache, target: Target, gcc: string): Promise<Musl> {
  const directory = await fetchMusl(cache, target)
  // The name must not end in -ld: rustc would take it for a bare linker.
  const linker = join(directory, 'musl-gcc')
  const specs = join(directory, 'lib/musl-gcc.specs')
  writeFileSync(linker, `#!/bin/sh\nexec '${gcc}' -specs '${specs}' "$@"\n`)
  chmodSync(linker, 0o755)
  writeFileSync(
    specs,
    readFileSync(`${specs}.in`, 'utf8').replaceAll(/\/usr\/lib\/\w+-linux-musl/g, join(directory, 'lib')),
  )
  return {
    linker,
    // Everything it takes from elsewhere has to be there: what is undefined would show when it is loaded.
    rustFlags: [
      '-Ctarget-feature=-crt-static',
      '-Clink-self-contained=no',
      `-Clink-arg=-L${join(directory, 'lib')}`,
      '-Clink-arg=-Wl,-z,defs',
    ],
  }
}

async function fetchMusl(cache: Cache, { debian }: Target): Promise<string> {
  demandKeyring()
  const suites = new Suites(cache, await configuredMirrors(cache), ['bookworm'], debian)
  await suites.update()
  const [library, development] = await Promise.all([suites.newest('musl'), suites.newest('musl-dev')])
  return cache.directory(`musl_${library.version}_${debian}`, async (tree) => {
    const lib = join(tree, 'lib')
    mkdirSync(lib)
    for (const wanted of [library, development]) {
      const unpacked = await suites.unpacked(wanted)
      if (unpacked === undefined) throw new Missing(`the Debian mirror lists ${wanted.name}, but has it not`)
      for (const place of ['lib', 'usr/lib']) copyMusl(join(unpacked, place), lib)
    }
    // Where there is both, gcc takes libc.so; where that is not found, it links libc.a in without a word.
    rmSync(join(lib, 'libc.a'))
    if (!existsSync(join(lib, 'libc.so'))) throw new Missing('the package musl holds no libc.so')
    cpSync(join(lib, 'musl-gcc.specs'), join(lib, 'musl-gcc.specs.in'))
    // rustc asks for libgcc_s. No musl system is sure to have one: what unwinds is linked in.
    writeFileSync(join(lib, 'libgcc_s.so'), 'GROUP ( libgcc_eh.a libgcc.a )\n')
  })
}

function copyMusl(place: string, lib: string): void {
  if (!existsSync(place)) return
  const triple = readdirSync(place).find((name) => name.endsWith('-linux-musl'))
  if (triple !== undefined) cpSync(join(place, triple), lib, { recursive: true })
}

/** What `npm run build:prebuilt` takes for a prebuilt addon. (That it builds one, only it shows itself.) */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import test from 'ava'

import { type Elf, readElf } from '../scripts/prebuilt/elf.js'
import { demandsOf, faultsOf } from '../scripts/prebuilt/gate.js'
import { parseOptions, UsageError } from '../scripts/prebuilt/options.js'
import { hasStandardLibrary } from '../scripts/prebuilt/rust.js'
import { addonOf, type Target, TARGETS } from '../scripts/prebuilt/targets.js'
import { directoryFor } from './helpers.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

function targetOf(name: string): Target {
  const target = TARGETS.find((candidate) => candidate.name === name)
  if (target === undefined) throw new Error(`no target ${name}`)
  return target
}

const GNU = targetOf('linux-x64-gnu')
const MUSL = targetOf('linux-x64-musl')

const sound: Elf = {
  machine: GNU.machine,
  needed: ['libdl.so.2', 'libgcc_s.so.1', 'libpthread.so.0', 'libc.so.6', 'ld-linux-x86-64.so.2'],
  versions: ['GLIBC_2.2.5', 'GLIBC_2.17', 'GCC_4.2.0'],
  runPaths: [],
  flags: ['NOW', 'NODELETE'],
  sections: ['.dynsym', '.text'],
  alignments: [4096],
  exported: ['napi_register_module_v1'],
  bytes: Buffer.from('nothing of this machine'),
}

const soundMusl: Elf = { ...sound, needed: ['libc.so'], versions: [] }

test('a sound addon passes', (t) => {
  t.deepEqual(faultsOf(sound, GNU, ['/home/builder']), [])
  t.deepEqual(faultsOf(soundMusl, MUSL, ['/home/builder']), [])
  t.is(demandsOf(sound, 'gnu'), 'GLIBC_2.17')
  t.is(demandsOf(soundMusl, 'musl'), 'NEEDED libc.so')
})

const faulty: [string, Partial<Elf>, RegExp][] = [
  ['a newer glibc', { versions: ['GLIBC_2.18'] }, /^it needs GLIBC_2\.18/],
  ['a private symbol of glibc', { versions: ['GLIBC_PRIVATE'] }, /^it needs GLIBC_PRIVATE/],
  ['a library that not all have', { needed: ['libc.so.6', 'liburing.so.2'] }, /^it needs liburing/],
  ['no glibc', { needed: [] }, /^it does not need libc\.so\.6/],
  ['another processor', { machine: 'AArch64' }, /^it is for AArch64/],
  ['a path to look for libraries', { runPaths: ['/opt'] }, /^it looks for libraries in \/opt/],
  ['an addon that can be unloaded', { flags: ['NOW'] }, /NODELETE/],
  ['a library that is no addon', { exported: [] }, /napi_register_module_v1/],
  ['symbols', { sections: ['.symtab'] }, /not stripped of \.symtab/],
  ['debug information', { sections: ['.debug_line'] }, /not stripped of \.debug_line/],
  ['a path of the builder', { bytes: Buffer.from('at /home/builder/src/x.rs') }, /\/home\/builder/],
]

for (const [what, change, fault] of faulty) {
  test(`the gate tells of ${what}`, (t) => {
    const faults = faultsOf({ ...sound, ...change }, GNU, ['/home/builder'])
    t.is(faults.length, 1, faults.join('\n'))
    t.regex(faults.join('\n'), fault)
  })
}

test('for musl the gate takes no library but libc.so, and no versions of symbols', (t) => {
  const neededBy = (...needed: string[]) => faultsOf({ ...soundMusl, needed }, MUSL, [])
  t.regex(neededBy().join('\n'), /^it needs nothing, not libc\.so alone$/)
  t.regex(neededBy('libc.so', 'libgcc_s.so.1').join('\n'), /^it needs libc\.so, libgcc_s\.so\.1, not/)
  t.regex(neededBy('libc.so.6').join('\n'), /^it needs libc\.so\.6, not/)
  t.regex(faultsOf(sound, MUSL, []).join('\n'), /^it needs libdl.*\n.*GLIBC_2\.2\.5/)
})

test('for arm64 the segments have to fit pages of 64 KiB', (t) => {
  const target = targetOf('linux-arm64-gnu')
  const elf = { ...sound, machine: target.machine }
  t.deepEqual(faultsOf({ ...elf, alignments: [65_536, 65_536] }, target, []), [])
  t.regex(faultsOf({ ...elf, alignments: [65_536, 4096] }, target, []).join('\n'), /aligned to 4096/)
})

test('what this machine builds for itself is read, and has symbols and debug information', async (t) => {
  const own = join(ROOT, `uring-safe-cancel.linux-${process.arch}-gnu.node`)
  const elf = await readElf(own)
  const target = targetOf(`linux-${process.arch}-gnu`)
  t.is(elf.machine, target.machine)
  t.true(elf.needed.includes('libc.so.6'))
  t.true(elf.flags.includes('NODELETE'))
  t.true(elf.exported.includes('napi_register_module_v1'))
  t.regex(faultsOf(elf, target, []).join('\n'), /not stripped of .*\.debug_line.*\.symtab/)
  t.log(`${demandsOf(elf, 'gnu')}: ${faultsOf(elf, target, []).join('; ')}`)
})

test('a library that is linked by this gcc, against the glibc of today, does not pass', async (t) => {
  const directory = directoryFor(t)
  const library = join(directory, 'library.so')
  // Any binary of a glibc that is newer than the gate allows: this symbol's version is of 2.25.
  const source =
    '#include <sys/random.h>\nint napi_register_module_v1(char *p) { return getrandom(p, 1, 0); }\n'
  execFileSync('gcc', ['-shared', '-fPIC', '-s', '-Wl,-z,nodelete', '-xc', '-', '-o', library], {
    input: source,
  })
  const faults = faultsOf(await readElf(library), targetOf(`linux-${process.arch}-gnu`), [])
  t.true(
    faults.some((fault) => fault.startsWith('it needs GLIBC_2.25')),
    faults.join('\n'),
  )
})

test("the machine's own rustc builds what it has a standard library for", async (t) => {
  const directory = directoryFor(t)
  const rustc = join(directory, 'rustc')
  mkdirSync(join(directory, GNU.triple))
  writeFileSync(rustc, `#!/bin/sh\necho "${directory}/$4"\n`)
  chmodSync(rustc, 0o755)
  t.true(await hasStandardLibrary(rustc, GNU))
  t.false(await hasStandardLibrary(rustc, MUSL))
  writeFileSync(rustc, '#!/bin/sh\nexit 1\n')
  t.false(await hasStandardLibrary(rustc, GNU))
})

test('targets are named', (t) => {
  t.deepEqual(
    parseOptions(['--target', 'linux-arm64-musl, linux-x64-gnu']).targets.map(({ name }) => name),
    ['linux-x64-gnu', 'linux-arm64-musl'],
  )
  t.is(parseOptions([]).targets.length, 4)
  t.throws(() => parseOptions(['--target', 'darwin-arm64']), {
    instanceOf: UsageError,
    message: /darwin-arm64/,
  })
  t.throws(() => parseOptions(['--goal']), { instanceOf: UsageError, message: /--goal/ })
})

test('each target has its package, which names the file that is built', (t) => {
  for (const target of TARGETS) t.true(existsSync(join(ROOT, addonOf(target), '..', 'package.json')))
})

test('the command says what is missing, and where to get it', (t) => {
  const directory = directoryFor(t)
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--import=@oxc-node/core/register', join(ROOT, 'scripts/prebuilt.ts')],
    { cwd: ROOT, env: { PATH: directory }, encoding: 'utf8' },
  )
  t.is(status, 69)
  t.is(stderr, 'build:prebuilt: readelf is missing: apt-get install binutils\n')
})

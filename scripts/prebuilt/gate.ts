/** What a prebuilt addon has to be, whatever machine it was built on. */
import type { Elf } from './elf.js'
import type { Libc, Target } from './targets.js'

/** What RHEL 7 and Amazon Linux 2 have: older than any system that Node 20 runs on. */
const GLIBC = [2, 17] as const

/** What every system with glibc has. Since 2.34 most of them are part of libc.so.6, and stay as empty files. */
const GNU_LIBRARIES: readonly RegExp[] = [
  /^lib(c|m|dl|rt)\.so\.\d$/,
  /^libpthread\.so\.0$/,
  /^libgcc_s\.so\.1$/,
  /^ld-linux-(x86-64\.so\.2|aarch64\.so\.1)$/,
]
/** musl is one library, whose loader knows it by this name. With any other, libc.a was linked in. */
const MUSL_LIBRARY = 'libc.so'

/** What Node looks for. */
const ENTRY = 'napi_register_module_v1'

/** What is wrong with it, one line each. */
export function faultsOf(elf: Elf, target: Target, privatePaths: readonly string[]): string[] {
  const { machine, needed, versions, runPaths, flags, sections, alignments, exported, bytes } = elf
  const faults = target.libc === 'gnu' ? faultsOfGnu(needed, versions) : faultsOfMusl(needed, versions)
  const demand = (holds: boolean, fault: string) => {
    if (!holds) faults.push(fault)
  }
  demand(machine === target.machine, `it is for ${machine}, not for ${target.machine}`)
  demand(runPaths.length === 0, `it looks for libraries in ${runPaths.join(':')}`)
  // A worker's end unloads the addon, while libuv still has a callback to call.
  demand(flags.includes('NODELETE'), 'the loader may unload it (no flag NODELETE)')
  demand(exported.includes(ENTRY), `it does not export ${ENTRY}`)
  const extra = sections.filter((name) => name === '.symtab' || name.startsWith('.debug'))
  demand(extra.length === 0, `it is not stripped of ${extra.join(', ')}`)
  const least = Math.min(...alignments)
  demand(least >= target.pageBytes, `its segments are aligned to ${least} bytes, not ${target.pageBytes}`)
  for (const path of privatePaths) demand(!bytes.includes(path), `it holds a path of this machine: ${path}`)
  return faults
}

function faultsOfGnu(needed: readonly string[], versions: readonly string[]): string[] {
  const unknown = needed.filter((name) => !GNU_LIBRARIES.some((library) => library.test(name)))
  const tooNew = versions.filter((version) => {
    const [, major, minor] = /^GLIBC_(\d+)\.(\d+)/.exec(version) ?? []
    if (major === undefined) return version.startsWith('GLIBC_')
    return Number(major) > GLIBC[0] || (Number(major) === GLIBC[0] && Number(minor) > GLIBC[1])
  })
  return [
    ...unknown.map((name) => `it needs ${name}, which not every system has`),
    ...tooNew.map((version) => `it needs ${version}, and more than GLIBC_${GLIBC.join('.')} is too new`),
    ...(needed.includes('libc.so.6') ? [] : ['it does not need libc.so.6: it is not for glibc']),
  ]
}

function faultsOfMusl(needed: readonly string[], versions: readonly string[]): string[] {
  const isExact = needed.length === 1 && needed[0] === MUSL_LIBRARY
  return [
    ...(isExact ? [] : [`it needs ${needed.join(', ') || 'nothing'}, not ${MUSL_LIBRARY} alone`]),
    ...versions.map((version) => `it needs ${version}, and symbols of musl have no versions`),
  ]
}

/** What is told of it: the newest glibc that it needs, or the libraries. */
export function demandsOf({ versions, needed }: Elf, libc: Libc): string {
  if (libc === 'musl') return `NEEDED ${needed.join(', ')}`
  const glibc = versions.filter((version) => version.startsWith('GLIBC_'))
  glibc.sort((one, other) => one.localeCompare(other, 'en', { numeric: true }))
  return glibc.at(-1) ?? 'no GLIBC symbol'
}

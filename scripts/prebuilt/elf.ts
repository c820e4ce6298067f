/** What the headers of an ELF file say, as readelf prints them. */
import { readFileSync } from 'node:fs'

import { mustRun } from '../common/commands.js'

export interface Elf {
  /** The processor. */
  machine: string
  /** The shared libraries that it asks the loader for. */
  needed: readonly string[]
  /** The versions of symbols that those have to offer: `GLIBC_2.14`. */
  versions: readonly string[]
  /** Where it would look for libraries: nothing, in a file that others install. */
  runPaths: readonly string[]
  /** Of the dynamic section: `NOW`, `NODELETE`. */
  flags: readonly string[]
  /** The names of its sections. */
  sections: readonly string[]
  /** The alignments of the segments that are loaded, in bytes. */
  alignments: readonly number[]
  /** The dynamic symbols that it defines, without their versions. */
  exported: readonly string[]
  bytes: Buffer
}

export async function readElf(path: string): Promise<Elf> {
  const options = ['--file-header', '--dynamic', '--version-info', '--sections', '--segments', '--dyn-syms']
  return { ...parseElf(await mustRun('readelf', ['--wide', ...options, path])), bytes: readFileSync(path) }
}

/** Reads what readelf printed, in English. */
export function parseElf(text: string): Omit<Elf, 'bytes'> {
  const all = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = '']) => found)
  return {
    machine: all(/^ {2}Machine: +(.+)$/gm)[0] ?? 'unknown',
    needed: all(/\(NEEDED\) +Shared library: \[(.+)\]$/gm),
    versions: [...new Set(all(/^ {2}0x\w+: +Name: (\S+) +Flags:/gm))],
    runPaths: all(/\((?:RPATH|RUNPATH)\) .*\[(.*)\]$/gm),
    flags: all(/\(FLAGS_1\) +Flags: (.+)$/gm).flatMap((flags) => flags.trim().split(' ')),
    sections: all(/^ {2}\[ *\d+\] (\.\S+) /gm),
    alignments: all(/^ {2}LOAD .* (0x[0-9a-f]+)$/gm).map(Number),
    exported: all(/^ +\d+: [0-9a-f]+ +\S+ \S+ +(?:GLOBAL|WEAK) +DEFAULT +\d+ ([^\s@]+)/gm),
  }
}

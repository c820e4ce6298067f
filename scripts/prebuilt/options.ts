/** The command line. */
import { parseArgs } from 'node:util'

import { type Target, TARGETS } from './targets.js'

const NAMES = TARGETS.map(({ name }) => name).join(',')

export const HELP = `Usage: npm run build:prebuilt -- [options]

Builds the addon of each target on this x64 machine, judges what its ELF headers say, and lays it into npm/<target>/.

  --target LIST     which, separated by commas (default ${NAMES})
  --check           build nothing, and judge what lies in npm/<target>/
  --help            print this

A target is built by this machine's rustc if that has its standard library (rustup target add <triple>), or else by the
rustc of Debian's security suite, which is fetched and unpacked below .cache/ and never installed.

Exit status: 0; 1 if a target cannot be built, or is not what it has to be; 69 if a piece is missing; 64 for
wrong arguments.
`

export class UsageError extends Error {}

export interface Options {
  targets: readonly Target[]
  check: boolean
  help: boolean
}

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const { target, check = false, help = false } = parse(args)
  return { targets: target === undefined ? TARGETS : targetsOf(target), check, help }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { target: { type: 'string' }, check: { type: 'boolean' }, help: { type: 'boolean' } },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function targetsOf(list: string): readonly Target[] {
  const names = list.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !TARGETS.some((target) => target.name === name))
  if (unknown !== undefined) throw new UsageError(`--target knows ${NAMES}, not '${unknown}'`)
  return TARGETS.filter(({ name }) => names.includes(name))
}

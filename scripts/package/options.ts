/** The command line. */
import { parseArgs } from 'node:util'

import { type Runtime, RUNTIMES } from './runtimes.js'

const NAMES = RUNTIMES.map(({ name }) => name).join(',')

export const HELP = `Usage: npm run test:package -- [options]

Packs the package and its prebuilt addons as they are published, installs the tarballs into an empty project on a PATH
without a compiler, and runs programs of users there.

  --runtimes LIST   on which, separated by commas (default ${NAMES})
  --keep            leave the project where it is, and say where
  --help            print this

Exit status: 0; 1 if something fails; 69 if a piece is missing; 64 for wrong arguments.
`

export class UsageError extends Error {}

export interface Options {
  runtimes: readonly Runtime[]
  keep: boolean
  help: boolean
}

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const { runtimes, keep = false, help = false } = parse(args)
  return { runtimes: runtimes === undefined ? RUNTIMES : runtimesOf(runtimes), keep, help }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { runtimes: { type: 'string' }, keep: { type: 'boolean' }, help: { type: 'boolean' } },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function runtimesOf(list: string): readonly Runtime[] {
  const names = list.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !RUNTIMES.some((runtime) => runtime.name === name))
  if (unknown !== undefined) throw new UsageError(`--runtimes knows ${NAMES}, not '${unknown}'`)
  return RUNTIMES.filter(({ name }) => names.includes(name))
}

/** The command line. */
import { parseArgs } from 'node:util'

import { SERIES, type Series } from './series.js'

export const HELP = `Usage: npm run test:kernels -- [options]

Boots Debian kernels in QEMU, and runs the contract's tests and the stress test in each.

  --series LIST     which, separated by commas (default ${SERIES.map(({ name }) => name).join(',')})
  --seconds N       how long mode raw tries to lose something in each guest (default 180)
  --jobs N          how many guests at once, each with two processors and 2 GiB (default 1)
  --only PATTERN    only the steps whose names match it: nothing is written then
  --write           write docs/kernels.md also if not all series ran
  --no-write        never write it
  --verbose         print the guests' consoles
  --help            print this

Exit status: 0; 1 if the contract does not hold somewhere, or if mode raw lost nothing anywhere; 69 if
QEMU, Debian's mirror or npm is not to be had; 64 for wrong arguments.
`

export class UsageError extends Error {}

export interface Options {
  series: readonly Series[]
  seconds: number
  jobs: number
  only: RegExp | undefined
  /** Undefined: if all ran. */
  write: boolean | undefined
  verbose: boolean
  help: boolean
}

const SECONDS = 180
/** A guest takes 2 GiB. */
const MOST_JOBS = 16

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const values = parse(args)
  const seconds = Number(values.seconds ?? SECONDS)
  if (!(seconds >= 1 && seconds <= 86_400)) {
    throw new UsageError(`--seconds must be a number from 1 to 86400, not '${values.seconds}'`)
  }
  const jobs = Number(values.jobs ?? 1)
  if (!(Number.isInteger(jobs) && jobs >= 1 && jobs <= MOST_JOBS)) {
    throw new UsageError(`--jobs must be an integer from 1 to ${MOST_JOBS}, not '${values.jobs}'`)
  }
  const { only, write, verbose = false, help = false } = values
  return {
    series: seriesOf(values.series),
    seconds,
    jobs,
    only: only === undefined ? only : patternOf(only),
    write,
    verbose,
    help,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowNegative: true,
      options: {
        series: { type: 'string' },
        seconds: { type: 'string' },
        jobs: { type: 'string' },
        only: { type: 'string' },
        write: { type: 'boolean' },
        verbose: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (error) {
    throw new UsageError(`--only must be a regular expression, not '${text}'`, { cause: error })
  }
}

function seriesOf(list: string | undefined): readonly Series[] {
  if (list === undefined) return SERIES
  const names = list.split(',').map((name) => name.trim())
  const unknown = names.find((name) => !SERIES.some((series) => series.name === name))
  if (unknown !== undefined) {
    throw new UsageError(`--series knows ${SERIES.map(({ name }) => name).join(', ')}, not '${unknown}'`)
  }
  return SERIES.filter(({ name }) => names.includes(name))
}

/** The command line. */
import { parseArgs } from 'node:util'

import { UsageError } from '../kernels/options.js'
import { SERIES, type Series } from '../kernels/series.js'

/** One of the oldest supported long term kernels, the current one, and the newest. (6.1 hides what holds terminals since 6.12.) */
export const DEFAULT_SERIES = ['6.1', '6.12', '7'] as const

export const HELP = `Usage: npm run test:devices -- [options]

Boots Debian kernels in QEMU with devices and their real drivers, and does the same on each by plain system calls, by
node:fs and by the ring.

  --series LIST     which, separated by commas (default ${DEFAULT_SERIES.join(',')}; known ${SERIES.map(({ name }) => name).join(',')})
  --jobs N          how many guests at once, each with two processors and 2 GiB (default 1)
  --only PATTERN    only the rows ("DEVICE: ROW") and steps whose names match it: nothing is written then
  --package DIR     the package of another checkout, as it was built there
  --write           write docs/devices.md also if not all was run
  --no-write        never write it
  --list            print the names of rows and steps
  --verbose         print the guests' consoles
  --help            print this

Exit status: 0; 1 if a row does not hold somewhere; 69 if QEMU, Debian's mirror or npm is not to be had; 64 for
wrong arguments.
`

export interface Options {
  series: readonly Series[]
  jobs: number
  only: RegExp | undefined
  /** The checkout whose package is run; undefined: this one. */
  package: string | undefined
  /** Undefined: if all ran. */
  write: boolean | undefined
  list: boolean
  verbose: boolean
  help: boolean
}

/** A guest takes 2 GiB. */
const MOST_JOBS = 16

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const values = parse(args)
  const jobs = Number(values.jobs ?? 1)
  if (!(Number.isInteger(jobs) && jobs >= 1 && jobs <= MOST_JOBS)) {
    throw new UsageError(`--jobs must be an integer from 1 to ${MOST_JOBS}, not '${values.jobs}'`)
  }
  const { only, write, list = false, verbose = false, help = false } = values
  return {
    series: seriesOf(values.series),
    jobs,
    only: only === undefined ? only : patternOf(only),
    package: values.package,
    write,
    list,
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
        jobs: { type: 'string' },
        only: { type: 'string' },
        package: { type: 'string' },
        write: { type: 'boolean' },
        list: { type: 'boolean' },
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
  const names = list?.split(',').map((name) => name.trim()) ?? [...DEFAULT_SERIES]
  const unknown = names.find((name) => !SERIES.some((series) => series.name === name))
  if (unknown !== undefined) {
    throw new UsageError(`--series knows ${SERIES.map(({ name }) => name).join(', ')}, not '${unknown}'`)
  }
  return SERIES.filter(({ name }) => names.includes(name))
}

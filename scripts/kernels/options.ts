/** The command line. */
import { parseArgs } from 'node:util'

import { type Architecture, ARCHITECTURES } from './architecture.js'
import { SERIES, type Series } from './series.js'

export const HELP = `Usage: npm run test:kernels -- [options]

Boots kernels of Debian, and one of gokrazy's, in QEMU, and runs the contract's tests and the stress test in each.

  --series LIST     which, separated by commas (default ${SERIES.map(({ name }) => name).join(',')})
  --arch NAME       of which processors: x64, or arm64 with the prebuilt addon (default x64)
  --cpu NAME        as which processor; arm64: neoverse-n1, or cortex-a57, which has no LSE
  --node MAJOR      with which Node; arm64: 20 or 26 (default 20), or musl: a Node 24 for musl, and the addon for it
  --seconds N       how long mode raw tries to lose something in each guest (default 180)
  --jobs N          how many guests at once, each with two processors and 2 GiB (default 1)
  --only PATTERN    only the steps whose names match it: nothing is written then
  --write           write docs/kernels.md also if not all series ran (x64)
  --no-write        never write it
  --verbose         print the guests' consoles
  --help            print this

Exit status: 0; 1 if the contract does not hold somewhere, or if mode raw lost nothing anywhere; 69 if
QEMU, Debian's mirror or npm is not to be had; 64 for wrong arguments.
`

/** Instead of a version of Node: the one for musl. */
export const MUSL = 'musl'

export class UsageError extends Error {}

export interface Options {
  series: readonly Series[]
  architecture: Architecture
  processor: string
  /** The major version of Node, or `musl`. */
  node: string
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
  const architecture = oneOf('--arch', ARCHITECTURES, ({ name }) => name, values.arch)
  const processor = oneOf('--cpu', architecture.processors, String, values.cpu)
  if (write === true && architecture.isCross) {
    throw new UsageError('--write is for x64: docs/kernels.md tells of nothing else')
  }
  const node = oneOf('--node', nodesOf(architecture), String, values.node)
  return {
    architecture,
    processor,
    node,
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
        arch: { type: 'string' },
        cpu: { type: 'string' },
        node: { type: 'string' },
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

function nodesOf({ nodes, isCross }: Architecture): string[] {
  return [...Object.keys(nodes), ...(isCross ? [MUSL] : [])]
}

/** The one of that name, or the first. */
function oneOf<T>(
  option: string,
  all: readonly T[],
  nameOf: (item: T) => string,
  wanted: string | undefined,
): T {
  const found = wanted === undefined ? all[0] : all.find((item) => nameOf(item) === wanted)
  if (found !== undefined) return found
  throw new UsageError(`${option} knows ${all.map((item) => nameOf(item)).join(', ')}, not '${wanted}'`)
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

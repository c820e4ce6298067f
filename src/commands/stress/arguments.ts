/** The command line of `uring-safe-cancel stress`. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'

import { UsageError } from '../usage-error.js'
import type { Mode, Scenario } from './scenario.js'

const DEFAULT_SECONDS = 10
const DEFAULT_SPIN = 30
/** With 2 threads, one would write the eventfd that it reads itself. */
const LEAST_THREADS = 3
/** As many as the report's four, on a smaller machine too. */
const DEFAULT_THREADS = Math.max(4, availableParallelism())

export const STRESS_HELP = `Usage: uring-safe-cancel stress [options]

Replicates the report that a cancelled io_uring read may never complete. N threads, each with a ring of its own,
share N eventfds. In each round thread n reads eventfd n and n+1, writes n+2, awaits the write, cancels both reads
and awaits them. Checked in every run: each operation settles once, and no count of an eventfd gets lost.

Without --async and --spin two scenarios run one after the other: 'as reported' (plain reads), and 'provoked'
(--async --spin ${DEFAULT_SPIN}), which widens the window of the race.

Options:
  --mode raw|safe|both  raw trusts one cancel, as the report did; what has not completed one second later counts
                        as lost, and is freed by another cancel. safe is the library. (default both, in turn)
  --threads <n>         threads and eventfds, at least ${LEAST_THREADS} (default: processors, at least 4; here ${DEFAULT_THREADS})
  --seconds <s>         time of each scenario in each mode (default ${DEFAULT_SECONDS}; without limit if --rounds is given)
  --rounds <n>          rounds of each thread (default: as many as the time allows)
  --add 0|1             what a write adds to its eventfd. With 1 a later write wakes a lost read, so that it is late
                        instead of lost; with 0 every read must end by its cancel. (default 1; with --async or
                        --spin, and when provoked, 0)
  --async               the reads with IOSQE_ASYNC
  --spin [µs]           busy-wait at random up to so many µs before the cancels (default ${DEFAULT_SPIN})
  --json                print one JSON document instead of tables
  -h, --help            print this
  --version             print the version

Exit status:
  0    everything held (lost operations of mode raw are what it is there to show)
  1    an operation or a count went missing, mode safe lost an operation, or a thread failed (if for want of memory
       or descriptors, the run is called 'not judged')
  2    no io_uring here, or no addon (uring-safe-cancel doctor tells which)
  64   wrong arguments
  130  interrupted by Ctrl-C, and everything held until then
`

/** What the command line asked for. */
export interface StressArguments {
  help: boolean
  version: boolean
  json: boolean
  modes: Mode[]
  scenarios: Scenario[]
}

/** @throws UsageError */
export function parseArguments(args: readonly string[]): StressArguments {
  const values = parse(args)
  const threads = integer('threads', values.threads, LEAST_THREADS, 1024) ?? DEFAULT_THREADS
  const rounds = integer('rounds', values.rounds, 1, 1e9)
  const seconds = duration(values.seconds) ?? (rounds === undefined ? DEFAULT_SECONDS : undefined)
  const spin = integer('spin', values.spin, 0, 1_000_000)
  const add = addend(values.add)
  const limits = { threads, rounds, seconds }
  const plain: Scenario = { name: 'as reported', ...limits, add: add ?? 1, async: false, spin: 0 }
  const provoked: Scenario = {
    name: 'provoked',
    ...limits,
    // The next thread's write would wake a read that was lost, which hides it.
    add: add ?? 0,
    async: true,
    spin: DEFAULT_SPIN,
  }
  const isChosen = values.async !== undefined || spin !== undefined
  const chosen: Scenario = { ...provoked, name: 'as chosen', async: values.async === true, spin: spin ?? 0 }
  return {
    help: values.help === true,
    version: values.version === true,
    json: values.json === true,
    modes: modesOf(values.mode),
    scenarios: isChosen ? [chosen] : [plain, provoked],
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: args.map((arg, index) => withSpin(arg, args[index + 1])),
      options: {
        threads: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        add: { type: 'string' },
        async: { type: 'boolean' },
        spin: { type: 'string' },
        mode: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** `--spin` alone has its default; parseArgs knows no optional values. */
function withSpin(arg: string, next: string | undefined): string {
  const isBare = arg === '--spin' && (next === undefined || next.startsWith('-'))
  return isBare ? `--spin=${DEFAULT_SPIN}` : arg
}

function integer(name: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  const why =
    name === 'threads' && value < LEAST_THREADS ? ': with fewer, a thread writes its own eventfd' : ''
  throw new UsageError(`--${name} must be an integer from ${least} to ${most}, not '${text}'${why}`)
}

function duration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d*\.?\d+$/.test(text) && value > 0 && value <= 1e6) return value
  throw new UsageError(`--seconds must be a number above 0 and up to 1000000, not '${text}'`)
}

function addend(text: string | undefined): 0 | 1 | undefined {
  if (text === undefined) return undefined
  if (text === '0') return 0
  if (text === '1') return 1
  throw new UsageError(`--add must be 0 or 1, not '${text}'`)
}

function modesOf(text = 'both'): Mode[] {
  switch (text) {
    case 'raw':
    case 'safe':
      return [text]
    case 'both':
      return ['raw', 'safe']
    default:
      throw new UsageError(`--mode must be raw, safe or both, not '${text}'`)
  }
}

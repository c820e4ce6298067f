/** The command line. */
import { parseArgs } from 'node:util'

export interface Options {
  quick: boolean
  rounds: number
  /** Milliseconds of a slice. */
  slice: number
  /** Ids of works; all if there are none. */
  only: string[]
  /** Whether the report goes to docs/. Else it goes to target/bench/. */
  publish: boolean
  /** The commit whose build is compared with this one, instead of all else. */
  against: string | undefined
}

export const HELP = `Usage: npm run bench -- [options]

Measures every variant of every work, interleaved, and writes the report: docs/performance.md with its plots
for a full run, target/bench/performance.md for any other.

  --quick          fewer and shorter rounds, fewer concurrencies: under two minutes
  --rounds N       rounds of each variant (default 9; quick: 5)
  --slice MS       the length of each (default 100; quick: 12)
  --only A,B       works by their ids, and 'hanging', 'memory', 'instructions'
  --publish        write docs/performance.md whatever the other options; with --against docs/performance-against.md
  --against COMMIT ROW...
                   builds that commit, and runs its build and this one in turn, with that one against itself beside it
                   (default 31 rounds of 50 ms; quick: 9 of 12): target/bench/against.md.
                   Rows (or --only): nop, pipe, pipe-waits, read, current, instructions, system-calls; all if none is named
  --list           the ids of the works
  --help           this`

/** The issue asks for seven; two more make the quartiles less a matter of luck. */
const FULL = { rounds: 9, slice: 100 }
const QUICK = { rounds: 5, slice: 12 }
/** A difference of one percent is to be told from none. */
const AGAINST = { full: { rounds: 31, slice: 50 }, quick: { rounds: 9, slice: 12 } }

export function parseOptions(argv: string[]): Options | 'help' | 'list' {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      slice: { type: 'string' },
      only: { type: 'string' },
      publish: { type: 'boolean' },
      against: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  if (values.list) return 'list'
  const { against } = values
  if (against === undefined && positionals.length > 0) {
    throw new Error(`${positionals[0]} is no option: rows are named after --against COMMIT, works by --only`)
  }
  const defaults =
    against === undefined ? (values.quick ? QUICK : FULL) : values.quick ? AGAINST.quick : AGAINST.full
  const only = [...(values.only?.split(',').filter((id) => id !== '') ?? []), ...positionals]
  const isFull = !values.quick && [values.rounds, values.slice, values.only].every((one) => one === undefined)
  return {
    quick: values.quick,
    rounds: count('--rounds', values.rounds, defaults.rounds),
    slice: count('--slice', values.slice, defaults.slice),
    only,
    publish: values.publish ?? (against === undefined && isFull),
    against,
  }
}

function count(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${name} must be an integer >= 1, not ${text}`)
  return number
}

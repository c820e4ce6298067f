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
}

export const HELP = `Usage: npm run bench -- [options]

Measures every variant of every work, interleaved, and writes the report: docs/performance.md with its plots
for a full run, target/bench/performance.md for any other.

  --quick          fewer and shorter rounds, fewer concurrencies: under two minutes
  --rounds N       rounds of each variant (default 9; quick: 5)
  --slice MS       the length of each (default 100; quick: 12)
  --only A,B       works by their ids, and 'hanging', 'memory', 'instructions'
  --publish        write docs/performance.md whatever the other options
  --list           the ids of the works
  --help           this`

/** The issue asks for seven; two more make the quartiles less a matter of luck. */
const FULL = { rounds: 9, slice: 100 }
const QUICK = { rounds: 5, slice: 12 }

export function parseOptions(argv: string[]): Options | 'help' | 'list' {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      slice: { type: 'string' },
      only: { type: 'string' },
      publish: { type: 'boolean' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  if (values.list) return 'list'
  const defaults = values.quick ? QUICK : FULL
  const only = values.only?.split(',').filter((id) => id !== '') ?? []
  const isFull = !values.quick && [values.rounds, values.slice, values.only].every((one) => one === undefined)
  return {
    quick: values.quick,
    rounds: count('--rounds', values.rounds, defaults.rounds),
    slice: count('--slice', values.slice, defaults.slice),
    only,
    publish: values.publish ?? isFull,
  }
}

function count(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${name} must be an integer >= 1, not ${text}`)
  return number
}

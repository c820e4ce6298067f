/** Instructions of the native side, as callgrind counts them: the figure that noise cannot touch. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { output } from './command.js'
import { SCRATCH } from './paths.js'
import { built } from './peers.js'
import type { Instructions, Results } from './results.js'

/** Operations of the shorter run; the longer has twice as many, and the difference is theirs alone. */
const OPERATIONS = 20_000
/** Operations in each flush. */
const BATCHES = [1, 32]
const WORKS = ['nop', 'read', 'cancel']

/** Rejects where there is no valgrind. `path` is a file of blocks. */
export async function countInstructions(path: string): Promise<NonNullable<Results['instructions']>> {
  const valgrind = (await output('valgrind', ['--version'])).trim()
  const directory = mkdtempSync(join(SCRATCH, 'callgrind-'))
  const figures: Instructions[] = []
  try {
    for (const work of WORKS) {
      for (const batch of BATCHES) {
        const what = `${work}, ${batch} in flight`
        figures.push(
          { name: `${what}: the core`, instructions: await perOperation(directory, core(work, batch)) },
          {
            name: `${what}: the floor`,
            instructions: await perOperation(directory, floor(work, batch, path)),
          },
        )
      }
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
  return { valgrind, figures }
}

/** A command that does so many operations, and what it is told on stdin. */
type Run = (operations: number) => { command: string[]; input: string }

function core(work: string, batch: number): Run {
  return (operations) => ({
    command: [built('instructions'), work, String(batch), String(operations)],
    input: '',
  })
}

function floor(work: string, concurrency: number, path: string): Run {
  return (operations) => ({
    command: [built('floor'), 'serve', JSON.stringify({ work, path })],
    input: JSON.stringify({ concurrency, operations, measure: 'speed' }),
  })
}

async function perOperation(directory: string, run: Run): Promise<number> {
  const [once, twice] = [await count(directory, run(OPERATIONS)), await count(directory, run(2 * OPERATIONS))]
  return (twice - once) / OPERATIONS
}

async function count(directory: string, { command, input }: ReturnType<Run>): Promise<number> {
  const file = join(directory, 'out')
  await output('valgrind', ['--tool=callgrind', `--callgrind-out-file=${file}`, ...command], input)
  const total = /^(?:summary|totals): (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1]
  if (total === undefined) throw new Error('callgrind wrote no total')
  return Number(total)
}

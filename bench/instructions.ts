/** Instructions of the native side, as callgrind counts them: the figure that noise cannot touch. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { output } from './command.js'
import { PROGRAMS, SCRATCH } from './paths.js'
import { built } from './peers.js'
import type { Instructions, Results } from './results.js'

/** Of a run in Rust: as many as make the ends of a run's memory and tables not matter. */
const OPERATIONS = 12_800
/** Operations in each flush. */
const BATCHES = [1, 32]
const WORKS = ['nop', 'read', 'cancel']

/** Of a run in Node, which valgrind slows down most before the first operation. */
const BINDING_OPERATIONS = 3200

/**
 * The calls from JavaScript into the binding: what is not below them is not counted. None of them is below another,
 * which would end the count.
 */
const BINDING_CALLS = ['submit::nop', 'submit::read', 'submit::read_region', 'cancel', 'flush'].map(
  (name) => `--toggle-collect=uring_safe_cancel_node::calls::${name}`,
)

/** Rejects where there is no valgrind. `path` is a file of blocks. */
export async function countInstructions(
  path: string,
  isQuick: boolean,
): Promise<NonNullable<Results['instructions']>> {
  const valgrind = (await output('valgrind', ['--version'])).trim()
  const directory = mkdtempSync(join(SCRATCH, 'callgrind-'))
  const figures: Instructions[] = []
  try {
    for (const work of WORKS) {
      for (const batch of isQuick ? BATCHES.slice(-1) : BATCHES) {
        const what = `${work}, ${batch} in flight`
        const of = async (name: string, run: Run) => {
          figures.push({ name: `${what}: ${name}`, instructions: await perOperation(directory, run) })
        }
        await of('the floor', floor(work, batch, path))
        await of('the core', core(work, batch, built('instructions')))
        if (!isQuick) await of('the binding and the core', binding(work, batch, path))
      }
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
  return { valgrind, figures }
}

/** A program whose instructions are counted. */
export interface Run {
  /** Operations of the shorter run; the longer has twice as many, and the difference is theirs alone. */
  operations: number
  command: (operations: number) => string[]
  /** What it is told on stdin. */
  input?: (operations: number) => string
  /** Options of callgrind. */
  options?: string[]
}

/** The core alone, by a build's program of crates/instructions. */
export function core(work: string, batch: number, program: string): Run {
  return {
    operations: OPERATIONS,
    command: (operations) => [program, work, String(batch), String(operations)],
  }
}

function floor(work: string, concurrency: number, path: string): Run {
  return {
    operations: OPERATIONS,
    command: () => [built('floor'), 'serve', JSON.stringify({ work, path })],
    input: (operations) => JSON.stringify({ concurrency, operations, measure: 'speed' }),
  }
}

/** The binding and the core, of this build or of another. */
export function binding(work: string, batch: number, path: string, library?: string): Run {
  const program = join(PROGRAMS, 'counted.js')
  return {
    operations: BINDING_OPERATIONS,
    command: (operations) => [
      process.execPath,
      program,
      JSON.stringify({ work, batch, operations, path, library }),
    ],
    options: BINDING_CALLS,
  }
}

/** Instructions of an operation. `directory` takes callgrind's files. */
export async function perOperation(directory: string, run: Run): Promise<number> {
  const { operations } = run
  const counts = await Promise.all([count(directory, run, operations), count(directory, run, 2 * operations)])
  return (counts[1] - counts[0]) / operations
}

async function count(directory: string, run: Run, operations: number): Promise<number> {
  const file = join(directory, `out-${operations}`)
  const options = [`--callgrind-out-file=${file}`, ...(run.options ?? [])]
  const command = ['--tool=callgrind', ...options, ...run.command(operations)]
  await output('valgrind', command, run.input?.(operations))
  const total = Number(/^(?:summary|totals): (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1])
  if (!(total > 0)) throw new Error('callgrind counted nothing: are there symbols?')
  return total
}

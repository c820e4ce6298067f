/** What a run found out: written as JSON, and all that the report knows. */
import type { Collections, Latencies, LoopDelay, SliceAnswer } from './protocol.js'
import { type Figure, figure } from './statistics.js'
import type { Work } from './work.js'

/** The figures of one variant at one concurrency. */
export interface Cell {
  concurrency: number
  variant: string
  /** One for each round, in the order of the rounds. */
  rounds: Pick<SliceAnswer, 'operations' | 'nanoseconds' | 'cpu'>[]
  latencies: Latencies[]
  collections: { collections: Collections; nanoseconds: number; operations: number }[]
  loop: LoopDelay[]
  /** Why there are no figures, or not all. */
  failure?: string
}

export interface WorkResult {
  work: Omit<Work, 'variants' | 'concurrency'> & { concurrency: number[] }
  /** In the table's order. */
  variants: { id: string; name: string }[]
  cells: Cell[]
  /** Variants that did not run, and why. */
  skipped: { name: string; why: string }[]
}

/** Times in milliseconds; `null` where the wait was given up. */
export interface Hanging {
  name: string
  /** From the cancel until the reads have settled. */
  settle: (number | null)[]
  /** From the call of fs.stat to its answer, while the reads hang. */
  stat: (number | null)[]
  failure?: string
}

/** Bytes of each operation in flight. */
export interface Memory {
  name: string
  heap: number[]
  rss: number[]
  failure?: string
}

/** Instructions of the native side for each operation. */
export interface Instructions {
  name: string
  instructions: number
}

export interface Results {
  date: string
  commit: string
  machine: { processor: string; processors: number; memory: number; kernel: string; fileSystem: string }
  versions: Record<string, string>
  options: { rounds: number; slice: number; quick: boolean; only: string[] }
  seconds: number
  works: WorkResult[]
  /** What was left out, by name. */
  skipped: { name: string; why: string }[]
  hanging?: { patience: number; variants: Hanging[] }
  memory?: { operations: number; variants: Memory[] }
  instructions?: { valgrind: string; figures: Instructions[] }
}

export function findCell(
  works: readonly WorkResult[],
  work: string,
  concurrency: number,
  variant: string,
): Cell | undefined {
  const result = works.find((one) => one.work.id === work)
  return result?.cells.find((cell) => cell.concurrency === concurrency && cell.variant === variant)
}

/** Operations a second, by round. */
export function speeds(cell: Cell | undefined): (number | undefined)[] {
  return cell?.rounds.map(({ operations, nanoseconds }) => (operations / nanoseconds) * 1e9) ?? []
}

/** Microseconds of processor time an operation, by round. */
export function cpuTimes(cell: Cell | undefined): (number | undefined)[] {
  return (
    cell?.rounds.map(({ operations, cpu }) =>
      cpu === null ? undefined : (cpu.user + cpu.system) / operations,
    ) ?? []
  )
}

/** The median of what is there. */
export function medianOf(values: readonly (number | undefined)[]): Figure | undefined {
  return figure(values.filter((value) => value !== undefined))
}

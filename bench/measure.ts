/** The rounds of a work: every variant in turn, one slice each, again and again. */
import { commandOf, type Peers } from './peers.js'
import type { Cell, WorkResult } from './results.js'
import { Hangs, VariantProcess } from './variant-process.js'
import type { Variant, Work } from './work.js'

export interface Effort {
  rounds: number
  /** Milliseconds of a slice. */
  slice: number
  /** Rounds of the latency and of the event loop. */
  detailRounds: number
  /** Milliseconds at most until a variant's speed is steady. */
  warmUp: number
}

/** So many operations warm up at least: optimising compilers want some thousand calls. */
const FEWEST_WARM_UP_OPERATIONS = 2000
/** From one slice to the next while the number of operations is looked for. */
const GROWTH = 8
/** Two slices whose speeds differ by less are steady. */
const STEADY = 0.05
/** A latency is kept for each operation: 80 MB at most. */
const MOST_RECORDED = 1e7

interface Running {
  variant: Variant
  process: VariantProcess
  cell: Cell
  operations: number
}

export async function measureWork(
  work: Work,
  peers: Peers,
  effort: Effort,
  progress: (text: string) => void,
): Promise<WorkResult> {
  const result: WorkResult = {
    work: { ...work, concurrency: [...work.concurrency] },
    variants: [],
    cells: [],
    skipped: [],
  }
  const processes = new Map<Variant, VariantProcess>()
  try {
    for (const variant of work.variants) {
      const command = commandOf(variant, peers)
      try {
        if (typeof command === 'string') throw new Error(command)
        processes.set(variant, await VariantProcess.start(command, variant.patience))
        result.variants.push({ id: variant.id, name: variant.name })
      } catch (error) {
        result.skipped.push({ name: variant.name, why: messageOf(error) })
      }
    }
    for (const concurrency of work.concurrency) {
      progress(`${work.id}, ${concurrency} ${work.unit}`)
      await measureAt(work, concurrency, processes, effort, result.cells)
    }
  } finally {
    for (const process of processes.values()) process.kill()
  }
  return result
}

async function measureAt(
  work: Work,
  concurrency: number,
  processes: Map<Variant, VariantProcess>,
  effort: Effort,
  cells: Cell[],
): Promise<void> {
  const running: Running[] = []
  for (const [variant, process] of processes) {
    if (variant.concurrency?.includes(concurrency) === false) continue
    const cell: Cell = {
      concurrency,
      variant: variant.id,
      rounds: [],
      latencies: [],
      collections: [],
      loop: [],
    }
    cells.push(cell)
    running.push({ variant, process, cell, operations: 0 })
  }
  const each = async (step: (one: Running) => Promise<void>) => {
    for (const one of running) {
      if (one.cell.failure !== undefined) continue
      try {
        await step(one)
      } catch (error) {
        one.cell.failure = messageOf(error)
        // The process of one that hangs is gone, and one that failed may be in any state.
        one.process.kill()
        processes.delete(one.variant)
      }
    }
  }
  await each(async (one) => {
    one.operations = work.operations ?? (await calibrate(one.process, concurrency, effort.slice))
    await warmUp(one, work, effort)
  })
  for (let round = 0; round < effort.rounds; round += 1) {
    await each(async ({ process, cell, operations }) => {
      const { nanoseconds, cpu, ...answer } = await process.ask({ concurrency, operations, measure: 'speed' })
      cell.rounds.push({ operations: answer.operations, nanoseconds, cpu })
    })
  }
  if (!work.details.includes(concurrency)) return
  for (let round = 0; round < effort.detailRounds; round += 1) await each(measureDetails)
}

async function measureDetails({ variant, process, cell, operations }: Running): Promise<void> {
  const { concurrency } = cell
  const recorded = Math.min(operations, MOST_RECORDED)
  const answer = await process.ask({ concurrency, operations: recorded, measure: 'latency' })
  const { latencies, collections, nanoseconds } = answer
  if (latencies !== undefined) cell.latencies.push(latencies)
  if (collections !== undefined) {
    cell.collections.push({ collections, nanoseconds, operations: answer.operations })
  }
  // The floor has no event loop, and a blocking call none that could turn.
  const { api } = variant.settings
  const turns = variant.runtime !== 'floor' && api !== 'sync' && api !== 'settled' && api !== 'pending'
  if (!turns) return
  const { loop } = await process.ask({ concurrency, operations, measure: 'loop' })
  if (loop !== undefined) cell.loop.push(loop)
}

/** How many operations a slice of that length has. */
async function calibrate(process: VariantProcess, concurrency: number, slice: number): Promise<number> {
  const wanted = slice * 1e6
  let operations = concurrency
  for (;;) {
    const { nanoseconds } = await process.ask({ concurrency, operations, measure: 'speed' })
    if (nanoseconds > wanted / 2) {
      const scaled = Math.round((operations * wanted) / nanoseconds)
      return Math.max(concurrency, scaled)
    }
    operations *= Math.min(GROWTH, Math.max(2, Math.ceil(wanted / nanoseconds)))
  }
}

/** Runs slices until two in a row are as fast, so that the compilers are done; and sets their length anew. */
async function warmUp(one: Running, work: Work, { warmUp: most, slice }: Effort): Promise<void> {
  const { process, cell } = one
  let [last, operations, nanoseconds] = [Number.NaN, 0, 0]
  while (nanoseconds < most * 1e6) {
    const answer = await process.ask({
      concurrency: cell.concurrency,
      operations: one.operations,
      measure: 'speed',
    })
    const speed = answer.operations / answer.nanoseconds
    operations += answer.operations
    nanoseconds += answer.nanoseconds
    const isSteady = Math.abs(speed / last - 1) < STEADY
    last = speed
    if (work.operations === undefined) {
      one.operations = Math.max(cell.concurrency, Math.round(speed * slice * 1e6))
    }
    if (isSteady && operations >= FEWEST_WARM_UP_OPERATIONS) return
  }
}

function messageOf(error: unknown): string {
  if (error instanceof Hangs) return error.message
  return error instanceof Error ? error.message : String(error)
}

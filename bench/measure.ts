/** The rounds of a work: every variant in turn, one slice each, again and again. */
import { commandOf, type Peers } from './peers.js'
import type { Cell, WorkResult } from './results.js'
import { VariantProcess } from './variant-process.js'
import type { Variant, Work } from './work.js'

export interface Effort {
  rounds: number
  /** Milliseconds of a slice. */
  slice: number
  /**
   * How often the processes are replaced. Two processes of one program differ by some percent for as long as they
   * live (by what their compilers chose and where their memory lies): with one each, that would look like a result.
   */
  generations: number
  /** Rounds of latency and of the event loop. */
  detailRounds: number
  /** Milliseconds at most until a variant's speed is steady. */
  warmUp: number
}

/** So many operations warm up at least: optimising compilers want some thousand calls. */
const FEWEST_WARM_UP_OPERATIONS = 2000
/** Operations of a slice for each that is in flight, at least. */
const FEWEST_TURNS = 4
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

/** The part of `total` that falls to one of several generations. */
function partOf(total: number, generation: number, generations: number): number {
  return Math.floor(((generation + 1) * total) / generations) - Math.floor((generation * total) / generations)
}

export async function measureWork(
  work: Work,
  peers: Peers,
  effort: Effort,
  progress: (text: string) => void,
): Promise<WorkResult> {
  const measuring = new WorkMeasurement(work, peers, effort)
  const { generations } = effort
  for (let generation = 0; generation < generations; generation += 1) {
    progress(`${work.id}${generations > 1 ? `, ${generation + 1} of ${generations}` : ''}`)
    await measuring.measureGeneration(generation)
  }
  return measuring.result
}

class WorkMeasurement {
  readonly result: WorkResult
  readonly #work: Work
  readonly #peers: Peers
  readonly #effort: Effort
  readonly #processes = new Map<Variant, VariantProcess>()

  constructor(work: Work, peers: Peers, effort: Effort) {
    this.#work = work
    this.#peers = peers
    this.#effort = effort
    this.result = {
      work: { ...work, concurrency: [...work.concurrency] },
      variants: [],
      cells: [],
      skipped: [],
    }
    for (const variant of work.variants) {
      const { id, name } = variant
      const command = commandOf(variant, peers)
      if (typeof command === 'string') this.result.skipped.push({ name, why: command })
      else this.result.variants.push({ id, name })
    }
  }

  async measureGeneration(generation: number): Promise<void> {
    const { concurrency, isScaling } = this.#work
    // What is compared across concurrencies must be measured in the same rounds.
    const groups = isScaling === true ? [[...concurrency]] : concurrency.map((one) => [one])
    try {
      for (const group of groups) await this.#measureGroup(group, generation)
    } finally {
      for (const process of this.#processes.values()) process.kill()
      this.#processes.clear()
    }
  }

  /** All variants at some concurrencies, interleaved. */
  async #measureGroup(concurrencies: readonly number[], generation: number): Promise<void> {
    const { rounds, detailRounds, generations } = this.#effort
    const running: Running[] = []
    for (const concurrency of concurrencies) {
      for (const variant of this.#work.variants) {
        const started = await this.#begin(variant, concurrency)
        if (started !== undefined) running.push(started)
      }
    }
    // Each round begins with another one: who comes after whom is no advantage of any.
    const each = async (step: (one: Running) => Promise<void>, first = 0) => {
      for (const index of running.keys()) {
        const one = running[(first + index) % running.length]
        if (one !== undefined && one.cell.failure === undefined) await this.#try(one, step)
      }
    }
    await each((one) => this.#warmUp(one))
    for (let round = partOf(rounds, generation, generations); round > 0; round -= 1) {
      await each(async ({ process, cell, operations }) => {
        const { concurrency } = cell
        const answer = await process.ask({ concurrency, operations, measure: 'speed' })
        const { nanoseconds, cpu } = answer
        cell.rounds.push({ operations: answer.operations, nanoseconds, cpu })
      }, round)
    }
    for (let round = partOf(detailRounds, generation, generations); round > 0; round -= 1) {
      await each(async (one) => {
        if (this.#work.details.includes(one.cell.concurrency)) await measureDetails(one)
      })
    }
  }

  /** A variant's process and cell; `undefined` where it has none. */
  async #begin(variant: Variant, concurrency: number): Promise<Running | undefined> {
    const command = commandOf(variant, this.#peers)
    if (typeof command === 'string' || variant.concurrency?.includes(concurrency) === false) return undefined
    const cell = this.#cellOf(variant.id, concurrency)
    if (cell.failure !== undefined) return undefined
    try {
      let process = this.#processes.get(variant)
      if (process === undefined) {
        process = await VariantProcess.start(command, variant.patience)
        this.#processes.set(variant, process)
      }
      return { variant, process, cell, operations: 0 }
    } catch (error) {
      cell.failure = messageOf(error)
      return undefined
    }
  }

  #cellOf(variant: string, concurrency: number): Cell {
    const { cells } = this.result
    const found = cells.find((cell) => cell.variant === variant && cell.concurrency === concurrency)
    if (found !== undefined) return found
    const made: Cell = { concurrency, variant, rounds: [], latencies: [], collections: [], loop: [] }
    cells.push(made)
    return made
  }

  async #try(one: Running, step: (one: Running) => Promise<void>): Promise<void> {
    try {
      await step(one)
    } catch (error) {
      one.cell.failure = messageOf(error)
      // That of one that hangs is gone, and that of one that failed may be in any state.
      one.process.kill()
      this.#processes.delete(one.variant)
    }
  }

  /** Runs slices until two in a row are as fast, so that the compilers are done; finds how long a slice is to be. */
  async #warmUp(one: Running): Promise<void> {
    const { process, cell } = one
    const { concurrency } = cell
    const { slice, warmUp } = this.#effort
    const fixed = this.#work.operations
    const fewest = fewestOperations(one)
    one.operations = fixed ?? (await calibrate(process, concurrency, fewest, slice))
    let [last, best, operations, nanoseconds] = [Number.NaN, 0, 0, 0]
    while (nanoseconds < warmUp * 1e6) {
      const answer = await process.ask({ concurrency, operations: one.operations, measure: 'speed' })
      const speed = answer.operations / answer.nanoseconds
      // Noise only ever slows down: the best is nearest to the truth.
      best = Math.max(best, speed)
      operations += answer.operations
      nanoseconds += answer.nanoseconds
      const isSteady = Math.abs(speed / last - 1) < STEADY
      last = speed
      if (fixed === undefined) one.operations = Math.max(fewest, Math.round(best * slice * 1e6))
      if (isSteady && operations >= FEWEST_WARM_UP_OPERATIONS) return
    }
  }
}

/** A slice has several operations for each that is in flight, or else it would be all beginning and end. */
function fewestOperations({ variant, cell }: Running): number {
  const { work, lanes = 1 } = variant.settings
  return FEWEST_TURNS * cell.concurrency * (work === 'workers' ? lanes : 1)
}

/** Latencies and collections in one slice, and the event loop in another. */
async function measureDetails({ variant, process, cell, operations }: Running): Promise<void> {
  const { concurrency } = cell
  const recorded = Math.min(operations, MOST_RECORDED)
  const answer = await process.ask({ concurrency, operations: recorded, measure: 'latency' })
  const { latencies, collections, nanoseconds } = answer
  if (latencies !== undefined) cell.latencies.push(latencies)
  if (collections !== undefined) {
    cell.collections.push({ collections, nanoseconds, operations: answer.operations })
  }
  // The floor has no event loop, and what does not return to it does not let it turn.
  const { api } = variant.settings
  const turns = variant.runtime !== 'floor' && api !== 'sync' && api !== 'settled' && api !== 'pending'
  if (!turns) return
  const { loop } = await process.ask({ concurrency, operations, measure: 'loop' })
  if (loop !== undefined) cell.loop.push(loop)
}

/** How many operations a slice of that length has. */
async function calibrate(
  process: VariantProcess,
  concurrency: number,
  fewest: number,
  slice: number,
): Promise<number> {
  const wanted = slice * 1e6
  let operations = fewest
  for (;;) {
    // The shorter of two: one that the system interrupted would say that the variant is slow.
    const first = await process.ask({ concurrency, operations, measure: 'speed' })
    const second = await process.ask({ concurrency, operations, measure: 'speed' })
    const nanoseconds = Math.min(first.nanoseconds, second.nanoseconds)
    if (nanoseconds > wanted / 2) return Math.max(fewest, Math.round((operations * wanted) / nanoseconds))
    operations *= Math.min(GROWTH, Math.max(2, Math.ceil(wanted / nanoseconds)))
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

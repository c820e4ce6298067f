/** Runs cells, some at a time, each on a lane with a helper and a process of the ring of its own. */
import { RingActor, type RingPlace } from './actors.js'
import { Helper } from './calls.js'
import { compare, heldBy, type Verdict } from './compare.js'
import type { Kind, Made, Places } from './kind.js'
import type { Doer } from './messages.js'
import type { Outcome } from './outcome.js'
import { patient } from './patience.js'
import { performByCall, performByRing, performInSession, remove, type Workplace } from './perform.js'
import { type Cell, neverEnds } from './rules.js'
import { nameOf } from './select.js'

export interface Result {
  cell: Cell
  calls: Outcome[]
  ring: Outcome
  /** The same by node:fs, where it was asked for and has the operation. */
  nodeFs: Outcome | undefined
  verdict: Verdict
  /** How long all its runs took. */
  seconds: number
}

export interface RunOptions {
  places: Places
  place: RingPlace
  /** The program of crates/kinds. */
  program: string
  lanes: number
  /** Whether some cells of each kind and operation are done by node:fs, too. */
  besideNodeFs?: boolean
  onResult?: (result: Result) => void
}

/** What has not ended by then never ends; a cell that fails is run again with the longer one. */
const [LIMIT_MILLISECONDS, LONG_LIMIT_MILLISECONDS] = [patient(2000), patient(8000)]
/** Where nothing can end it, this is enough to see what ends all the same. */
const NEVER_MILLISECONDS = patient(400)
/** Above that, what fails fails for a reason, and is not run again. */
const RUN_AGAIN_AT_MOST = 60
/** How often what held the loop is run. */
const HELD_RUNS = 3

class Lane {
  readonly #options: RunOptions
  #helper: Helper
  #ring: RingActor | undefined

  constructor(options: RunOptions) {
    this.#options = options
    this.#helper = new Helper(options.program)
  }

  #place(limit: number, by: Doer = 'ring'): Workplace {
    return { helper: this.#helper, places: this.#options.places, limit, by }
  }

  /** Whether a kind can be made here: why not, otherwise. */
  async missing(kind: Kind): Promise<string | undefined> {
    const world = await this.#helper.world()
    let made: Made | undefined
    try {
      made = await kind.make(world, this.#options.places, kind.isNonblocking)
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    } finally {
      await this.#helper.end(world)
      remove(made)
    }
  }

  async run(cell: Cell, patience: number): Promise<Result> {
    const limit = neverEnds(cell) && patience < LONG_LIMIT_MILLISECONDS ? NEVER_MILLISECONDS : patience
    const begun = performance.now()
    const first = await performByCall(cell, this.#place(limit))
    const { twin } = cell.kind
    const byTwin = () => performByCall({ ...cell, kind: twin ?? cell.kind }, this.#place(limit))
    // The ring's operations wait where the call says EAGAIN: as the call does without O_NONBLOCK.
    const calls = [twin !== undefined && first.result === 'EAGAIN' ? await byTwin() : first]
    const mayWait = calls.some(({ didWait }) => didWait)
    const ring = await this.#least(() => this.#once(cell, this.#place(limit), mayWait))
    const nodeFs = this.#isBeside(cell)
      ? await this.#least(() => this.#once(cell, this.#place(limit, 'node:fs'), mayWait))
      : undefined
    // It may do as the one or the other: the other is asked where it matters.
    const isOnlyOne = twin === undefined || calls[0] !== first
    if (!isOnlyOne && compare(cell, calls, ring).faults.length > 0) calls.push(await byTwin())
    const seconds = (performance.now() - begun) / 1000
    return { cell, calls, ring, nodeFs, seconds, verdict: compare(cell, calls, ring) }
  }

  #isBeside({ operation, situation }: Cell): boolean {
    const isPoll = operation.direction !== 'none' && !operation.moves
    return this.#options.besideNodeFs === true && !isPoll && ['bytes there', 'none'].includes(situation.name)
  }

  /** What held the loop is run again: the least counts, because others have the processor, too. */
  async #least(once: () => Promise<Outcome>): Promise<Outcome> {
    let least = await once()
    for (let run = 1; run < HELD_RUNS && heldBy(least) !== undefined; run += 1) {
      const again = await once()
      if (again.gap + again.held < least.gap + least.held) least = again
    }
    return least
  }

  async #once(cell: Cell, place: Workplace, mayWait: boolean): Promise<Outcome> {
    const { session } = cell.kind
    if (session !== undefined) {
      return performInSession(cell, place, this.#options.place, session, mayWait)
    }
    if (this.#ring === undefined || this.#ring.isDead) {
      this.#ring = RingActor.spawn(this.#options.place)
      await this.#ring.ready()
    }
    return performByRing(cell, place, this.#ring, mayWait)
  }

  /** Begins anew, after something broke that is not the cell's matter. */
  restart(): void {
    this.destroy()
    this.#helper = new Helper(this.#options.program)
  }

  destroy(): void {
    this.#ring?.kill()
    this.#ring = undefined
    this.#helper.destroy()
  }
}

/** The cells that are left. What all lanes share is used by one of them at a time. */
class Queue {
  readonly #cells: Cell[]
  readonly #busy = new Set<string>()
  #freed = Promise.resolve()
  #free = () => {}

  constructor(cells: readonly Cell[]) {
    this.#cells = [...cells]
    this.#renew()
  }

  #renew(): void {
    this.#freed = new Promise((resolve) => (this.#free = resolve))
  }

  /** The next cell of which nothing is in use; `undefined` when there is none left. */
  async take(): Promise<Cell | undefined> {
    while (this.#cells.length > 0) {
      const index = this.#cells.findIndex(
        ({ kind: { shares } }) => shares === undefined || !this.#busy.has(shares),
      )
      const [cell] = index < 0 ? [] : this.#cells.splice(index, 1)
      if (cell !== undefined) {
        if (cell.kind.shares !== undefined) this.#busy.add(cell.kind.shares)
        return cell
      }
      await this.#freed
    }
    return undefined
  }

  done({ kind: { shares } }: Cell): void {
    if (shares === undefined) return
    this.#busy.delete(shares)
    const free = this.#free
    this.#renew()
    free()
  }
}

export interface Run {
  results: Result[]
  /** Kinds that the machine lacks, and why. */
  missing: Map<Kind, string>
  /** Cells that could not be run: the harness's own failures. */
  broken: Map<Cell, string>
}

export async function runCells(cells: readonly Cell[], options: RunOptions): Promise<Run> {
  const missing = await missingKinds(cells, options)
  const run: Run = { results: [], missing, broken: new Map() }
  const wanted = cells.filter(({ kind }) => !missing.has(kind))
  await onLanes(inOrder(wanted), options, LIMIT_MILLISECONDS, run)
  const failed = run.results.filter(({ verdict }) => verdict.faults.length > 0)
  const again = [...failed.map(({ cell }) => cell), ...run.broken.keys()]
  if (again.length > 0 && again.length <= RUN_AGAIN_AT_MOST) {
    const second: Run = { results: [], missing, broken: new Map() }
    await onLanes(again, { ...options, lanes: 1 }, LONG_LIMIT_MILLISECONDS, second)
    const replaced = new Map(second.results.map((result) => [result.cell, result]))
    run.results = run.results.filter(({ cell }) => !replaced.has(cell)).concat(second.results)
    run.broken = second.broken
  }
  const order = new Map(cells.map((cell, index) => [cell, index]))
  run.results.sort((a, b) => (order.get(a.cell) ?? 0) - (order.get(b.cell) ?? 0))
  return run
}

/** A prime, so that neighbours come far from each other. */
const STRIDE = 7919

/** What runs one by one is begun first. The rest is mixed: of what starts processes not all comes at once. */
function inOrder(cells: readonly Cell[]): Cell[] {
  const mixed = cells.map((_, index) => cells[(index * STRIDE) % cells.length] ?? raise())
  return [...mixed.filter(isShared), ...mixed.filter((cell) => !isShared(cell))]
}

function isShared({ kind: { shares } }: Cell): boolean {
  return shares !== undefined
}

function raise(): never {
  throw new Error('there is no such cell')
}

async function missingKinds(cells: readonly Cell[], options: RunOptions): Promise<Map<Kind, string>> {
  const lane = new Lane(options)
  const missing = new Map<Kind, string>()
  for (const kind of new Set(cells.map((cell) => cell.kind))) {
    const why = await lane.missing(kind)
    if (why !== undefined) missing.set(kind, why)
  }
  lane.destroy()
  return missing
}

async function onLanes(cells: readonly Cell[], options: RunOptions, limit: number, run: Run): Promise<void> {
  const queue = new Queue(cells)
  const work = async () => {
    const lane = new Lane(options)
    for (let cell = await queue.take(); cell !== undefined; cell = await queue.take()) {
      const its = cell
      try {
        const result = await lane.run(its, limit)
        run.results.push(result)
        options.onResult?.(result)
      } catch (error) {
        run.broken.set(its, error instanceof Error ? (error.stack ?? error.message) : String(error))
        if (process.env['KINDS_VERBOSE'] !== undefined) console.error(nameOf(its), error)
        lane.restart()
      } finally {
        queue.done(its)
      }
    }
    lane.destroy()
  }
  await Promise.all(Array.from({ length: options.lanes }, work))
}

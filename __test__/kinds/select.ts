/** Makes the cells from the three lists, and chooses among them. */
import { KINDS } from './kinds.js'
import { OPERATIONS } from './operations.js'
import { type Cell, exclusionOf } from './rules.js'
import { SITUATIONS } from './situations.js'

export interface Excluded {
  cell: Cell
  reason: string
}

export function nameOf({ kind, operation, situation }: Cell): string {
  return `${kind.name} * ${operation.name} * ${situation.name}`
}

/** Every cell: to be run, or excluded by a rule. */
export function allCells(): { cells: Cell[]; excluded: Excluded[] } {
  const cells: Cell[] = []
  const excluded: Excluded[] = []
  for (const kind of KINDS) {
    for (const operation of OPERATIONS) {
      for (const situation of SITUATIONS) {
        const cell = { kind, operation, situation }
        const reason = exclusionOf(cell)
        if (reason === undefined) cells.push(cell)
        else excluded.push({ cell, reason })
      }
    }
  }
  return { cells, excluded }
}

const ALWAYS = new Set<string>(['bytes there', 'none', 'cancelled by cancel'])

function pairsOf({ kind, operation, situation }: Cell): string[] {
  return [`${kind.name} * ${situation.name}`, `${operation.name} * ${situation.name}`]
}

/** Those in which every kind meets every operation, and all pairs of the three lists are. */
export function pairs(cells: readonly Cell[]): Cell[] {
  const chosen = cells.filter(({ situation }) => ALWAYS.has(situation.name))
  const seen = new Set(chosen.flatMap(pairsOf))
  // What brings two new pairs comes before what brings one.
  for (const news of [2, 1]) {
    // From one kind to the next the operations differ, so that not all pairs are those of the first operation.
    cells.forEach((_, index) => {
      const cell = cells[(index * STRIDE) % cells.length]
      if (cell === undefined || chosen.includes(cell)) return
      const fresh = pairsOf(cell).filter((pair) => !seen.has(pair))
      if (fresh.length < news) return
      chosen.push(cell)
      for (const pair of fresh) seen.add(pair)
    })
  }
  return chosen
}

/** A prime that is larger than the cells of any kind: every cell comes once, in an order that mixes them. */
const STRIDE = 7919

/** The one of this name. */
export function named(cells: readonly Cell[], name: string): Cell {
  const found = cells.find((cell) => nameOf(cell) === name)
  if (found === undefined) throw new Error(`there is no cell '${name}', or a rule excludes it`)
  return found
}

/** Those whose names are like this: `*` stands for anything, and parts may be left out at the end. */
export function matching(cells: readonly Cell[], glob: string): Cell[] {
  const text = glob
    .trim()
    .split(/\s*\*\s*/)
    .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  const pattern = new RegExp(`^${text}`)
  return cells.filter((cell) => pattern.test(nameOf(cell)))
}

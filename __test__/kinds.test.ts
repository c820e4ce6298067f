/**
 * The kinds matrix, as far as `npm test` runs it: kind × operation × {bytes there, none, cancelled}, and all pairs of kinds, operations and
 * situations. `npm run test:kinds` runs all cells.
 */
import test from 'ava'

import { sorted } from '../scripts/common/sorted.js'
import { cellsHold } from './fixtures/kinds.js'
import { allCells, matching, pairs } from './kinds/select.js'

/** It takes little more than one. What the machine is slow for, and every cell that fails is run again, takes longer. */
const MINUTES = 12

test('clauses 1, 2, 4 and 7, the kinds matrix: the ring does on every kind what the system call does', async (t) => {
  t.timeout(MINUTES * 60_000)
  await cellsHold(t, ['--pairs'])
})

test('the kinds matrix has every pair of a kind, an operation and a situation that no rule excludes', (t) => {
  const { cells } = allCells()
  const chosen = pairs(cells)
  const pairsOf = (list: typeof cells) =>
    new Set(
      list.flatMap(({ kind, operation, situation }) => [
        `${kind.name} * ${operation.name}`,
        `${kind.name} * ${situation.name}`,
        `${operation.name} * ${situation.name}`,
      ]),
    )
  t.deepEqual(sorted(pairsOf(cells)), sorted(pairsOf(chosen)))
  t.true(chosen.length < cells.length)
  const named = matching(cells, 'pipe * read * none').map(({ kind, situation }) => [
    kind.name,
    situation.name,
  ])
  t.true(named.length > 0)
  t.true(named.every(([kind = '', situation = '']) => kind.startsWith('pipe') && situation.endsWith('none')))
})

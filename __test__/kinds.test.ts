/**
 * The kinds matrix, as far as `npm test` runs it: of the kinds below every operation × {bytes there, none, cancelled}, and all pairs of
 * kinds, operations and situations. `npm run test:kinds -- --pairs` does so for all kinds (some two minutes on a quiet machine, five on
 * a busy one), and `npm run test:kinds` runs all cells.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import test from 'ava'

import { sorted } from '../scripts/common/sorted.js'
import { HOME } from './fixtures/programs.js'
import { matching, allCells, pairs } from './kinds/select.js'

interface Verdicts {
  verdicts: { name: string; line: string; faults: string[] }[]
  broken: { name: string; why: string }[]
  missing: { kind: string; why: string }[]
  excluded: number
}

/** A kind of each way to wait, half a minute in all: twelve minutes are what `npm test` may take. */
const ONLY = [
  'pipe*',
  'FIFO*',
  'eventfd*',
  'pty slave, raw*',
  'file on ext4, O_DIRECT*',
  'stdin, a terminal, background*',
]

/** What the machine is slow for, and every cell that fails is run again, takes longer than ava's own limit. */
const MINUTES = 12

function run(json: string): Promise<string> {
  const only = ONLY.flatMap((glob) => ['--only', glob])
  const args = ['--import=@oxc-node/core/register', 'scripts/kinds.ts', '--pairs', ...only, '--json', json]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: HOME, maxBuffer: 1 << 26 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
}

test('clauses 1, 2, 4 and 7, the kinds matrix: the ring does on every kind what the system call does', async (t) => {
  t.timeout(MINUTES * 60_000)
  const directory = mkdtempSync(join(tmpdir(), 'kinds-test-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const json = join(directory, 'verdicts.json')
  const output = await run(json)
  const { verdicts, broken, missing, excluded } = JSON.parse(readFileSync(json, 'utf8')) as Verdicts
  for (const { kind, why } of missing) t.log(`missing: ${kind}: ${why}`)
  for (const { name, why } of broken) t.log(`could not be run: ${name}: ${why}`)
  const failed = verdicts.filter(({ faults }) => faults.length > 0)
  for (const { name, line } of failed) t.log(`fails: ${name}: ${line}`)
  t.log(`${verdicts.length} cells run, ${excluded} excluded, ${missing.length} kinds missing`)
  t.true(verdicts.length > 0, output)
  t.deepEqual(
    failed.map(({ name }) => name),
    [],
  )
  t.deepEqual(broken, [])
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

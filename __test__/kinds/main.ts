/** `npm run test:kinds`: runs cells, prints what failed, and writes docs/kinds.md. The last line is `N passed, N failed`. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

import type { RingPlace } from './actors.js'
import { compiledRingProcess } from './compiled.js'
import { mountAll, unmountAll } from './filesystems.js'
import { pageOf } from './page.js'
import { type Result, runCells } from './run.js'
import { allCells, matching, named, nameOf, pairs } from './select.js'

const HELP = `usage: npm run test:kinds -- [options]
  --only GLOB     cells by name, such as 'pty slave*read*none'; may be given more than once
  --cell NAME     one cell, by its whole name; may be given more than once
  --pairs         kind x operation x {bytes there, none, cancelled}, and all pairs of the three lists
  --dist DIR      the directory of the built package to test (also KINDS_PACKAGE); default: this one
  --lanes N       cells at a time; default 8
  --verbose       what was seen of every cell
  --list          names the cells, and runs none
  --json FILE     writes the verdicts there
  --no-write      does not write docs/kinds.md
`

/** They mostly wait. */
const LANES = '8'

/** Builds crates/kinds and crates/sandbox, or takes them from where they were built: a guest has no cargo. */
function programs(root: string): string {
  const { URING_SAFE_CANCEL_PROGRAMS: built } = process.env
  if (built !== undefined) return built
  const packages = ['uring-safe-cancel-kinds', 'uring-safe-cancel-sandbox'].flatMap((name) => [
    '--package',
    name,
  ])
  execFileSync('cargo', ['build', '--quiet', ...packages], { cwd: root, stdio: 'inherit' })
  return join(root, 'target/debug')
}

function lineOf({ calls, ring, verdict: { faults, onPurpose } }: Result): string {
  const expected = calls.map((call) => call.result).join(' or ')
  const seen = faults.length > 0 ? faults.join('; ') : `${ring.result} (the call: ${expected})`
  return `${seen}${onPurpose.length > 0 ? ` [${onPurpose.join('; ')}]` : ''}`
}

export async function main(args: string[], root: string): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', multiple: true },
      cell: { type: 'string', multiple: true },
      pairs: { type: 'boolean' },
      dist: { type: 'string' },
      lanes: { type: 'string', default: LANES },
      verbose: { type: 'boolean' },
      list: { type: 'boolean' },
      json: { type: 'string' },
      'no-write': { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    console.log(HELP)
    return 0
  }
  const { cells, excluded } = allCells()
  let chosen = values.pairs === true ? pairs(cells) : cells
  if (values.only !== undefined) {
    chosen = [...new Set(values.only.flatMap((glob) => matching(chosen, glob)))]
  }
  if (values.cell !== undefined) chosen = values.cell.map((name) => named(cells, name))
  if (values.list === true) {
    for (const cell of chosen) console.log(nameOf(cell))
    console.log(`${chosen.length} of ${cells.length} cells, ${excluded.length} excluded`)
    return 0
  }
  const built = programs(root)
  const home = resolve(values.dist ?? process.env['KINDS_PACKAGE'] ?? root)
  const program = compiledRingProcess(root)
  const place: RingPlace = { home, program, addon: join(built, 'libkinds_addon.so') }
  const places = mountAll(built)
  const isAll = chosen.length === cells.length
  const begun = performance.now()
  try {
    const run = await runCells(chosen, {
      places,
      place,
      program: join(built, 'kinds-helper'),
      lanes: Number(values.lanes),
      besideNodeFs: isAll,
      onResult: (result) => {
        if (values.verbose === true) {
          console.log(`${nameOf(result.cell)}: ${lineOf(result)}`)
          console.log(JSON.stringify({ calls: result.calls, ring: result.ring }))
        }
      },
    })
    const seconds = ((performance.now() - begun) / 1000).toFixed(0)
    const failed = run.results.filter(({ verdict }) => verdict.faults.length > 0)
    for (const result of failed) console.log(`FAILED ${nameOf(result.cell)}: ${lineOf(result)}`)
    for (const [cell, why] of run.broken) console.log(`BROKEN ${nameOf(cell)}: ${why}`)
    for (const [kind, why] of run.missing) console.log(`missing ${kind.name}: ${why}`)
    console.log(
      `${run.results.length} run, ${excluded.length} excluded, ${run.missing.size} kinds missing, ${seconds} s`,
    )
    if (values.json !== undefined) {
      const verdicts = run.results.map((result) => ({
        name: nameOf(result.cell),
        line: lineOf(result),
        faults: result.verdict.faults,
        seconds: result.seconds,
      }))
      const broken = [...run.broken].map(([cell, why]) => ({ name: nameOf(cell), why }))
      const missing = [...run.missing].map(([kind, why]) => ({ kind: kind.name, why }))
      writeFileSync(values.json, JSON.stringify({ verdicts, broken, missing, excluded: excluded.length }))
    }
    if (isAll && values['no-write'] !== true) {
      writeFileSync(join(root, 'docs/kinds.md'), pageOf(run, excluded))
    }
    const bad = failed.length + run.broken.size
    console.log(`${run.results.length - failed.length} passed, ${bad} failed`)
    return bad === 0 ? 0 : 1
  } finally {
    unmountAll(places)
  }
}

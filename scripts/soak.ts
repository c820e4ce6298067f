/**
 * `npm run soak -- --minutes N`: a mixed load for so long, and then the verdict whether anything grew.
 *
 * The load runs in spells. After each it comes to rest, garbage is collected, and what should be flat is measured.
 * Ctrl-C ends it with a verdict on what was measured until then. The last line is `N passed, N failed`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { Ring } from 'uring-safe-cancel'

import { type Ground, LANES } from './soak/lanes.js'
import { LEAKS } from './soak/leak.js'
import { ARENA_BYTES, collect, emptySeries, sample } from './soak/sample.js'
import { judge, LEAST_VALUES, type Verdict } from './soak/verdict.js'

/** How many times a run is measured: enough for a slope, and each spell long enough to be a load. */
const SAMPLES = 60
const LEAST_SPELL_MILLISECONDS = 200

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    // Some of the load only, to see which of it grows.
    lanes: { type: 'string', default: Object.keys(LANES).join(',') },
    // So many of the shortest spells, however long they take: to test the soak itself.
    spells: { type: 'string' },
    // Deliberate leaks at each measurement, to see the verdict fail.
    leak: { type: 'string', multiple: true, default: [] },
  },
})
const milliseconds = Number(values.minutes) * 60_000
const spells = values.spells === undefined ? Infinity : Number(values.spells)
const lanes = values.lanes.split(',')
const leaks = values.leak.map((name) => LEAKS[name])
if (!(milliseconds > 0) || leaks.includes(undefined) || !lanes.every((name) => name in LANES)) {
  console.error(
    `usage: npm run soak -- --minutes N [--lanes ${Object.keys(LANES).join()}] [--leak ${Object.keys(LEAKS).join('|')}]`,
  )
  process.exit(64)
}

const interruption = new AbortController()
process.on('SIGINT', () => {
  interruption.abort()
  console.log('interrupted: the spell ends, and then the verdict comes')
})

const ground: Ground = {
  ring: new Ring({ completionEntries: 1024, arenaBytes: ARENA_BYTES }),
  directory: mkdtempSync(join(tmpdir(), 'uring-soak-')),
  operations: 0,
  end: 0,
}
fill(ground.ring)
await collect()
const rounds: Record<string, number> = {}
const failures: Record<string, string> = {}

/** Fills the arena, and lets go of it. */
function fill(ring: Ring): void {
  const piece = 256 << 10
  for (let bytes = 0; bytes < ARENA_BYTES; bytes += piece) ring.alloc(piece).fill(1)
}

/** Runs a lane until the spell is over. One that failed is not run again. */
async function work(name: string): Promise<void> {
  const lane = LANES[name]
  if (lane === undefined || name in failures) return
  try {
    do {
      await lane(ground)
      rounds[name] = (rounds[name] ?? 0) + 1
    } while (performance.now() < ground.end && !interruption.signal.aborted)
  } catch (error) {
    failures[name] = String(error)
  }
}

function row(verdict: Verdict): string {
  const { name, unit, early, late, most, growth, bound, isFlat } = verdict
  const number = (value: number) => `${value.toFixed(unit === '' ? 1 : 2)} ${unit}`.trim().padStart(12)
  const mark = isFlat ? 'ok  ' : 'FAIL'
  return `${mark}  ${name.padEnd(18)}${[early, late, most, growth, bound].map(number).join('')}`
}

const series = emptySeries()
const begun = performance.now()
const spell =
  spells < Infinity ? LEAST_SPELL_MILLISECONDS : Math.max(milliseconds / SAMPLES, LEAST_SPELL_MILLISECONDS)
const isOver = () =>
  spells < Infinity ? series.rss.values.length >= spells : performance.now() - begun >= milliseconds
while (!isOver() && !interruption.signal.aborted) {
  ground.end = performance.now() + spell
  await Promise.all(lanes.map((name) => work(name)))
  for (const leak of leaks) leak?.(ground.ring)
  await sample(series, ground.ring)
}
const seconds = (performance.now() - begun) / 1000
const { reissues, rescued, cancelAttempts, stuck } = ground.ring.stats()
await ground.ring.destroy()
rmSync(ground.directory, { recursive: true })

console.log(
  `${ground.operations} operations in ${seconds.toFixed(0)} s, measured ${series.rss.values.length} times`,
)
console.log(`${cancelAttempts} cancels, ${reissues} re-issued, ${rescued} rescued, ${stuck} stuck`)
console.log(
  Object.entries(rounds)
    .map(([name, count]) => `${name} ${count}`)
    .join(', '),
)
for (const [name, words] of Object.entries(failures)) console.log(`FAIL  ${name}: ${words}`)
let failed = Object.keys(failures).length
let passed = lanes.length - failed
if (series.rss.values.length < LEAST_VALUES) {
  console.log(
    `FAIL  ${series.rss.values.length} measurements are too few to judge by: at least ${LEAST_VALUES}`,
  )
  failed += 1
} else {
  const verdicts = Object.values(series).map(judge)
  const heads = ['2nd quarter', 'last', 'most', 'growth', 'allowed'].map((head) => head.padStart(12)).join('')
  console.log(`\n      ${''.padEnd(18)}${heads}`)
  for (const verdict of verdicts) console.log(row(verdict))
  const flat = verdicts.filter(({ isFlat }) => isFlat).length
  passed += flat
  failed += verdicts.length - flat
}
process.exitCode = failed === 0 ? 0 : 1
console.log(`${passed} passed, ${failed} failed`)

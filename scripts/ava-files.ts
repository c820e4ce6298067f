/** Which files of tests run beside each other, and which alone. */
import { readdirSync } from 'node:fs'

import { sorted } from './common/sorted.js'

const FOLDER = '__test__'

/**
 * Two lists that run at once: most of their time they wait, for devices, for servers that are slow on purpose, for other
 * processes. Those who bound a gap of the event loop in them do it by a second or more.
 */
const BESIDE: readonly (readonly string[])[] = [
  ['kinds-of-files/', 'hostile', 'faults/signals', 'ownership'],
  [
    'addon',
    'arguments',
    'bench',
    'cli',
    'devices',
    'docs',
    'doctor',
    'examples',
    'faults/clocks',
    'faults/forbidden',
    'faults/forbidden-later',
    'faults/limits',
    'faults/no-external-memory',
    'faults/no-worker',
    'faults/one-after-the-other',
    'faults/rights',
    'interference',
    'kernels',
    'loading',
    'prebuilt',
    'sequences',
  ],
]

function isIn(entry: string, name: string): boolean {
  return entry.endsWith('/') ? name.startsWith(entry) : name === `${entry}.test.ts`
}

/** The files of each list that runs beside others, and those that run alone: they measure times, memory or races. */
export function avaFiles(): { beside: string[][]; alone: string[] } {
  const found = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  const all = sorted(found.filter((name) => name.endsWith('.test.ts')))
  for (const entry of BESIDE.flat()) {
    if (!all.some((name) => isIn(entry, name))) throw new Error(`${FOLDER} has no tests called ${entry}`)
  }
  const paths = (names: string[]) => names.map((name) => `${FOLDER}/${name}`)
  return {
    beside: BESIDE.map((list) => paths(all.filter((name) => list.some((entry) => isIn(entry, name))))),
    alone: paths(all.filter((name) => !BESIDE.flat().some((entry) => isIn(entry, name)))),
  }
}

/**
 * Runs rows of one device, in each of their ways, and prints a line of JSON for each row that is over. It judges nothing.
 *
 * `run.js DEVICE ROW...`: rows by their names.
 */
import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

import { Ring } from 'uring-safe-cancel'

import { CONTROL } from '../machine.js'
import type { Lab, Pass, Row, WayName } from '../row.js'
import { WAYS } from '../row.js'
import { DEVICES } from '../rows/index.js'
import { LONGEST_GAP } from '../row.js'
import { Control } from './control.js'
import { Watch } from './gap.js'
import { Shell } from './shell.js'
import { Sleeps } from './sleeps.js'
import { killAll, start } from './started.js'
import { keepIdle, plainWay, wayOf, wordOf } from './ways.js'

/** An emulated machine on a busy host has gaps of its own: what is longer is measured anew, so often at most. */
const MOST_RUNS = 3
/** Longer than all that a row waits for together: what is over it hangs. */
const ROW_MILLISECONDS = 60_000
const UNTIL_MILLISECONDS = 30_000
const LOOK_MILLISECONDS = 20

/** What all rows share. */
interface Means {
  ring: Ring
  control: Control
  shell: Shell
  sleeps: Sleeps
}

class TheLab implements Lab {
  readonly ring: Ring
  readonly watched: Watch
  readonly #control: Control

  readonly #shell: Shell

  constructor({ ring, control, shell, sleeps }: Means) {
    this.ring = ring
    this.watched = new Watch(sleeps)
    this.#control = control
    this.#shell = shell
  }

  host(line: string): Promise<string> {
    return this.#control.ask(line)
  }

  watch<T>(work: () => Promise<T>): Promise<T> {
    return this.watched.run(work)
  }

  shell(script: string): Promise<string> {
    return this.#shell.run(script)
  }

  readonly start = start

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + UNTIL_MILLISECONDS
    while (!(await holds())) {
      if (performance.now() > end) throw new Error(`in vain for ${what}`)
      await delay(LOOK_MILLISECONDS)
    }
  }

  async load(modules: readonly string[]): Promise<void> {
    for (const module of modules) {
      const loaded = `/sys/module/${module.replaceAll('-', '_')}`
      const file = `/modules/${module}.ko`
      if (!existsSync(loaded) && existsSync(file)) await this.shell(`insmod ${file}`)
    }
  }

  readonly other = plainWay
}

/** Once, in one way. What went wrong is an observation, too. */
async function pass(row: Row, name: WayName, means: Means): Promise<Pass> {
  const lab = new TheLab(means)
  const way = await wayOf(name, means.ring)
  const hang = delay(ROW_MILLISECONDS, 'hangs' as const, { ref: false })
  const ended = await Promise.race([
    row.run(way, lab).catch((error: unknown) => ({ error: wordOf(error) })),
    hang,
  ])
  const observed = ended === 'hangs' ? { error: `not over after ${ROW_MILLISECONDS / 1000} s` } : ended
  killAll(keepIdle(!('error' in observed)))
  const { milliseconds, gap, asleep } = lab.watched
  return { observed, milliseconds: Math.round(milliseconds), gap: Math.round(gap), asleep, runs: 1 }
}

/** With the least gap. What was seen must be the same in every run, so that of a run with another gap counts as well. */
async function passes(row: Row, name: WayName, means: Means): Promise<Pass> {
  let best = await pass(row, name, means)
  const most = name === 'plain' || row.isOnce === true ? 1 : MOST_RUNS
  let runs = 1
  for (; runs < most && best.gap > LONGEST_GAP && best.observed['error'] === undefined; runs += 1) {
    const next = await pass(row, name, means)
    if (next.observed['error'] !== undefined) return { ...next, runs: runs + 1 }
    if (next.gap < best.gap) best = next
  }
  return { ...best, runs }
}

const [, , deviceName, ...rowNames] = process.argv
const device = DEVICES.find(({ name }) => name === deviceName)
if (device === undefined) throw new Error(`there is no device ${deviceName}`)
const means = {
  ring: new Ring(),
  control: await Control.connect(CONTROL),
  shell: new Shell(),
  sleeps: new Sleeps(),
}
for (const row of device.rows.filter(({ name }) => rowNames.includes(name))) {
  const ways: Partial<Record<WayName, Pass>> = {}
  for (const name of row.ways ?? WAYS) {
    ways[name] = await passes(row, name, means)
    // At once, for who looks at the console.
    appendFileSync('/dev/console', `${device.name}: ${row.name}: ${name}: ${JSON.stringify(ways[name])}\n`)
  }
  console.log(JSON.stringify({ row: row.name, ways }))
}
// What hangs must not keep the guest.
process.exit(0)

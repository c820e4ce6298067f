/** Runs the legs of a test command one after the other, and adds up their tests. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'

import type { Tally } from './counts.js'

export interface Leg {
  name: string
  command: string
  /** Reads the leg's tests off what it printed. A leg without it is one check. */
  count?: (output: string) => Tally
  /** Environment variables beside those of this process. */
  env?: Record<string, string>
  /** Where it runs, if not here. */
  directory?: string
}

/** What a command came to: its status, how long it took, and what it printed on stdout. */
interface Ended {
  ok: boolean
  seconds: number
  output: string
}

/** Runs a command, keeping its stdout to be counted. What it prints is printed as it comes, or when `turn` has come. */
async function run({ name, command, env, directory }: Leg, turn?: Promise<unknown>): Promise<Ended> {
  const start = performance.now()
  const child = spawn(command, {
    shell: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: directory,
    env: { ...process.env, ...env },
  })
  let output = ''
  const held: (() => void)[] = []
  const print = (stream: NodeJS.WriteStream, chunk: string) => {
    if (turn) held.push(() => stream.write(chunk))
    else stream.write(chunk)
  }
  print(process.stdout, `\n=== ${name}: ${command}\n`)
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
    print(process.stdout, chunk)
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => print(process.stderr, chunk))
  const [exitCode] = await once(child, 'close')
  const seconds = (performance.now() - start) / 1000
  await turn
  for (const write of held) write()
  return { ok: exitCode === 0, seconds, output }
}

/** Runs legs at once, and prints what each printed in their order. */
async function runAtOnce(legs: Leg[]): Promise<{ leg: Leg; ended: Ended }[]> {
  const running: Promise<Ended>[] = []
  for (const leg of legs) running.push(run(leg, running.at(-1)))
  const all = await Promise.all(running)
  return all.flatMap((ended, index) => {
    const leg = legs[index]
    return leg ? [{ leg, ended }] : []
  })
}

/** What a leg adds to the totals. An exit status never passes for less than it says. */
function judge({ count }: Leg, ok: boolean, output: string): Tally {
  if (!count) return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, notRun: [] }
  const tally = count(stripVTControlCharacters(output))
  const ranNothing = tally.passed + tally.failed === 0
  if (tally.failed === 0 && (!ok || ranNothing)) tally.failed = 1
  return tally
}

/** Runs every leg, those of a list at once, stops for nothing, and ends with `N passed, N failed`. */
export async function runLegs(legs: (Leg | Leg[])[]): Promise<void> {
  const total: Tally = { passed: 0, failed: 0, notRun: [] }
  const summary: string[] = []

  for (const group of legs) {
    for (const { leg, ended } of await runAtOnce([group].flat())) {
      const { ok, seconds, output } = ended
      const { passed, failed, notRun } = judge(leg, ok, output)
      total.passed += passed
      total.failed += failed
      total.notRun.push(...notRun.map((test) => `${leg.name}: ${test}`))
      const verdict = failed === 0 ? 'ok  ' : 'FAIL'
      const counts = `${passed} passed, ${failed} failed, ${notRun.length} not run`
      summary.push(`${verdict}  ${leg.name.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s  ${counts}`)
    }
  }

  console.log(`\n=== summary\n${summary.join('\n')}`)
  if (total.notRun.length > 0)
    console.log(`\n${total.notRun.length} not run:\n  ${total.notRun.join('\n  ')}`)
  process.exitCode = total.failed === 0 ? 0 : 1
  console.log(`\n${total.passed} passed, ${total.failed} failed`)
}

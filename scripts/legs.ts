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

/** Runs a command, streaming what it prints while keeping its stdout to be counted. */
async function run({ command, env, directory }: Leg): Promise<{ ok: boolean; output: string }> {
  const child = spawn(command, {
    shell: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: directory,
    env: { ...process.env, ...env },
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
    process.stdout.write(chunk)
  })
  child.stderr.pipe(process.stderr, { end: false })
  const [exitCode] = await once(child, 'close')
  return { ok: exitCode === 0, output }
}

/** What a leg adds to the totals. An exit status never passes for less than it says. */
function judge({ count }: Leg, ok: boolean, output: string): Tally {
  if (!count) return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, notRun: [] }
  const tally = count(stripVTControlCharacters(output))
  const ranNothing = tally.passed + tally.failed === 0
  if (tally.failed === 0 && (!ok || ranNothing)) tally.failed = 1
  return tally
}

/** Runs every leg, stops for nothing, and ends with `N passed, N failed`. */
export async function runLegs(legs: Leg[]): Promise<void> {
  const total: Tally = { passed: 0, failed: 0, notRun: [] }
  const summary: string[] = []

  for (const leg of legs) {
    console.log(`\n=== ${leg.name}: ${leg.command}`)
    const start = performance.now()
    const { ok, output } = await run(leg)
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    const { passed, failed, notRun } = judge(leg, ok, output)
    total.passed += passed
    total.failed += failed
    total.notRun.push(...notRun.map((test) => `${leg.name}: ${test}`))
    const verdict = failed === 0 ? 'ok  ' : 'FAIL'
    const counts = `${passed} passed, ${failed} failed, ${notRun.length} not run`
    summary.push(`${verdict}  ${leg.name.padEnd(10)} ${seconds.padStart(6)} s  ${counts}`)
  }

  console.log(`\n=== summary\n${summary.join('\n')}`)
  if (total.notRun.length > 0)
    console.log(`\n${total.notRun.length} not run:\n  ${total.notRun.join('\n  ')}`)
  process.exitCode = total.failed === 0 ? 0 : 1
  console.log(`\n${total.passed} passed, ${total.failed} failed`)
}

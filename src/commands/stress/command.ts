/** `uring-safe-cancel stress`: the scenarios in their modes, one after the other, and what they found. */
import { Ring } from '../../ring.js'
import type { StressArguments } from './arguments.js'
import { answerName } from './lost.js'
import type { Lost } from './messages.js'
import { ProgressLine } from './progress.js'
import { describeLost, formatTable, toJson } from './report.js'
import { type Run, runScenario } from './run.js'
import { describeScenario, type Mode, type Scenario } from './scenario.js'

/** Exit statuses of `uring-safe-cancel stress`. */
export const Exit = { HELD: 0, FAILED: 1, UNSUPPORTED: 2, USAGE: 64, INTERRUPTED: 130 } as const

/** How many lost reads are shown one by one. */
const LOST_SHOWN = 10

/** Runs the command, and gives back the exit status. */
export async function runStress(options: StressArguments, version: string): Promise<number> {
  const { supported, reason = '', remedy = '' } = Ring.probe()
  if (!supported) {
    process.stderr.write(`io_uring is not available here: ${reason}; ${remedy}\n`)
    return Exit.UNSUPPORTED
  }
  const interrupt = new AbortController()
  const onInterrupt = () => interrupt.abort()
  // Once: a second Ctrl-C ends the process at once.
  process.once('SIGINT', onInterrupt)
  try {
    const stress = new Stress(options, interrupt.signal)
    const runs = await stress.run()
    if (interrupt.signal.aborted) process.stderr.write('Interrupted: this is what was done until then.\n')
    if (options.json) process.stdout.write(toJson(runs, version, interrupt.signal.aborted))
    return statusOf(runs, interrupt.signal.aborted)
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}

function statusOf(runs: readonly Run[], isInterrupted: boolean): number {
  if (runs.some(({ isHung }) => isHung)) {
    process.stderr.write('A thread does not let itself be stopped: ending by SIGKILL.\n')
    process.kill(process.pid, 'SIGKILL')
  }
  if (runs.some(({ problems }) => problems.length > 0)) return Exit.FAILED
  return isInterrupted ? Exit.INTERRUPTED : Exit.HELD
}

class Stress {
  readonly #options: StressArguments
  readonly #signal: AbortSignal
  readonly #progress = new ProgressLine(process.stderr)

  constructor(options: StressArguments, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
  }

  async run(): Promise<Run[]> {
    const runs: Run[] = []
    for (const scenario of this.#options.scenarios) {
      if (this.#signal.aborted) break
      runs.push(...(await this.#runModes(scenario)))
    }
    return runs
  }

  async #runModes(scenario: Scenario): Promise<Run[]> {
    this.#print(`${describeScenario(scenario)}\n`)
    const runs: Run[] = []
    for (const mode of this.#options.modes) {
      if (this.#signal.aborted) break
      const run = await this.#runMode(scenario, mode)
      runs.push(run)
      for (const problem of run.problems) {
        const verdict = run.verdict === 'failed' ? 'FAILED' : 'NOT JUDGED'
        process.stderr.write(`${verdict}: ${scenario.name}, mode ${mode}: ${problem}\n`)
      }
    }
    this.#print(`\n${formatTable(runs)}\n`)
    for (const run of runs) {
      if (run.mode === 'raw' && run.verdict !== 'not judged') this.#print(`  ${describeLost(run)}\n\n`)
    }
    return runs
  }

  async #runMode(scenario: Scenario, mode: Mode): Promise<Run> {
    let lostCount = 0
    const onLost = (lost: Lost) => {
      lostCount += 1
      if (lostCount <= LOST_SHOWN) this.#print(`  ${describe(mode, lost)}\n`)
      if (lostCount === LOST_SHOWN + 1) this.#print(`  ${mode}: more reads get lost; they are counted\n`)
    }
    try {
      return await runScenario(scenario, mode, {
        signal: this.#signal,
        onLost,
        onProgress: (milliseconds, rounds, lost) => {
          this.#progress.show(scenario, mode, milliseconds, rounds, lost)
        },
      })
    } finally {
      this.#progress.clear()
    }
  }

  #print(text: string): void {
    this.#progress.clear()
    if (!this.#options.json) process.stdout.write(text)
  }
}

function describe(mode: Mode, { thread, eventfd, attempts, answer }: Lost): string {
  const cancels = attempts === 1 ? 'its cancel' : `the last of ${attempts} cancels`
  return `${mode}: lost a read: thread ${thread}, eventfd ${eventfd}; ${cancels} answered ${answerName(answer)}`
}

/** What runs in each guest, in order. */
import { PROGRAMS } from './initramfs.js'
import type { Step } from './job.js'
import { RUST_ARGUMENTS } from './suites.js'

/** The name of the step that asks the library what this kernel offers. */
export const PROBE = 'probe'
const STRESS = 'uring-safe-cancel-stress'

/** The four of the report, each with a ring and an eventfd; the guest has two processors. */
const THREADS = '4'
/**
 * The longest spin, in microseconds, before a cancel: the window of the race lies where the worker of the kernel arms its
 * poll, and emulation moves that by a lot.
 */
const SPIN = '300'

/** Processes that compute beside the stress test: as many as the guest has processors. */
const LOAD = 2

/** Times in seconds. */
export interface Durations {
  /** How long mode raw, with add 0, tries to lose something. */
  untilLost: number
  /** Each run of mode safe. */
  safe: number
  /** Every other run. */
  other: number
}

/** From one number, the most that a kernel's search for a loss may take. */
export function durations(seconds: number): Durations {
  return { untilLost: seconds, safe: Math.max(5, seconds / 6), other: Math.max(2, seconds / 18) }
}

/** A step hangs when it takes so much longer than it was told to; a program that was killed can be a minute in starting. */
const GRACE_SECONDS = 120
const SUITE_LIMIT_SECONDS = 900

export interface Suites {
  rust: readonly string[]
  ava: readonly string[]
}

export function probeStep(): Step {
  const code = `import { Ring } from 'uring-safe-cancel'; console.log(JSON.stringify(Ring.probe()))`
  return {
    name: PROBE,
    command: 'node',
    args: ['--input-type=module', '-e', code],
    reading: 'json',
    limitSeconds: GRACE_SECONDS,
  }
}

/** What the tests cannot build in the guest, where their files lie, and how long what is random takes. */
const ENVIRONMENT = { URING_SAFE_CANCEL_PROGRAMS: PROGRAMS, TMPDIR: '/disk', SEQUENCES_RUNS: '20' }

/** The step that runs a test program of the core. */
export function rustStepName(suite: string): string {
  return `rust ${suite}`
}

/** The contract's tests. */
export function suiteSteps({ rust, ava }: Suites): Step[] {
  const limitSeconds = SUITE_LIMIT_SECONDS
  return [
    ...rust.map((name): Step => {
      const args = ['--test-threads=1', ...(RUST_ARGUMENTS[name] ?? [])]
      const command = `${PROGRAMS}/${name}`
      return { name: rustStepName(name), command, args, env: ENVIRONMENT, reading: 'cargo', limitSeconds }
    }),
    ...ava.map((name): Step => {
      const args = ['node_modules/ava/entrypoints/cli.mjs', `__test__/${name}.js`]
      return { name: `ava ${name}`, command: 'node', args, env: ENVIRONMENT, reading: 'ava', limitSeconds }
    }),
  ]
}

type Mode = 'raw' | 'safe'

interface Run {
  mode: Mode
  add: 0 | 1
  seconds: number
}

function stressArguments({ mode, add, seconds }: Run): string[] {
  const scenario = ['--async', '--add', String(add), '--spin', SPIN, '--threads', THREADS]
  return [...scenario, '--mode', mode, '--seconds', String(seconds), '--json']
}

function rustStress(name: string, run: Run, more: readonly string[] = []): Step {
  return {
    name: `stress ${name}`,
    command: `${PROGRAMS}/${STRESS}`,
    args: [...stressArguments(run), ...more],
    reading: 'json',
    limitSeconds: run.seconds + GRACE_SECONDS,
  }
}

function nodeStress(name: string, run: Run): Step {
  return {
    name: `node stress ${name}`,
    command: 'node',
    args: ['dist/src/commands/cli.js', 'stress', ...stressArguments(run)],
    reading: 'json',
    limitSeconds: run.seconds + GRACE_SECONDS,
  }
}

/** The steps in which mode raw has to lose something on one kernel at least: with add 0 a lost read stays lost. */
export const SEARCH_STEPS = ['stress raw', 'stress raw, with load', 'stress raw, on a loaded host'] as const

function search(name: string, seconds: number): Step {
  return rustStress(name.replace('stress ', ''), { mode: 'raw', add: 0, seconds }, ['--until-lost'])
}

/** What is tried, with load on the host, when no kernel has lost anything. */
export function searchAgainStep(seconds: number): Step {
  return { ...search(SEARCH_STEPS[2], seconds), load: LOAD }
}

/** The stress test: the program in Rust gives the verdict, and the one in Node stands beside it. */
export function stressSteps({ untilLost, safe, other }: Durations): Step[] {
  const [alone, loaded] = SEARCH_STEPS
  return [
    search(alone, untilLost / 3),
    { ...search(loaded, (2 * untilLost) / 3), load: LOAD, unlessLost: [alone] },
    rustStress('safe', { mode: 'safe', add: 0, seconds: safe }),
    { ...rustStress('safe, with load', { mode: 'safe', add: 0, seconds: safe }), load: LOAD },
    rustStress('raw, add 1', { mode: 'raw', add: 1, seconds: other }),
    rustStress('safe, add 1', { mode: 'safe', add: 1, seconds: other }),
    nodeStress('raw', { mode: 'raw', add: 0, seconds: other }),
    nodeStress('safe', { mode: 'safe', add: 0, seconds: other }),
    nodeStress('raw, add 1', { mode: 'raw', add: 1, seconds: other }),
    nodeStress('safe, add 1', { mode: 'safe', add: 1, seconds: other }),
  ]
}

/**
 * Runs the steps of a job inside the guest, and reports each on the console. It judges nothing.
 *
 * The kernel writes to the same console and may break a line of ours, so that all records are printed once more at the
 * end; the host takes the first of each that it can read.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { stripVTControlCharacters } from 'node:util'

import { countAvaTests, countCargoTests } from '../../counts.js'
import { type GuestRecord, type Job, MARK, type Reading, type Step, type StepResult } from '../job.js'
import { lostIn } from '../stress-result.js'

/** Enough to see what failed; a slow line should not carry more. */
const TAIL_CHARACTERS = 6000
/** For a process that was killed: to end, in an emulated machine. */
const RELEASE_MILLISECONDS = 10_000
/** The console's descriptor: written to at once, also if the machine hangs afterwards. */
const CONSOLE = 1

const [, , path = '/job.json'] = process.argv
const { nonce, steps } = JSON.parse(readFileSync(path, 'utf8')) as Job
const records: string[] = []

function report(record: GuestRecord): void {
  records.push(`${MARK} ${nonce} ${records.length} ${JSON.stringify(record)}`)
  print(records.at(-1) ?? '')
}

function print(line: string): void {
  // A line may begin in the middle of what somebody else printed.
  const bytes = Buffer.from(`\n${line}\n`)
  for (let written = 0; written < bytes.length;) written += writeSync(CONSOLE, bytes, written)
}

function kill(child: ChildProcess): void {
  try {
    // The group: a test program leaves nothing running either.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}

function startLoad(count: number): ChildProcess[] {
  return Array.from({ length: count }, () =>
    spawn('/bin/sh', ['-c', 'while :; do :; done'], { detached: true, stdio: 'ignore' }),
  )
}

interface Ended {
  status: number | null
  signal: string | null
  timedOut: boolean
  stdout: string
  stderr: string
}

function execute({ command, args, env, limitSeconds }: Step): Promise<Ended> {
  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  const ended: Ended = { status: null, signal: null, timedOut: false, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (ended.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (ended.stderr += text))
  child.on('error', (error) => (ended.stderr += String(error)))
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      ended.timedOut = true
      kill(child)
      // What the kernel does not let go would keep its pipes open for ever.
      setTimeout(() => resolve(ended), RELEASE_MILLISECONDS)
    }, limitSeconds * 1000)
    child.on('close', (status, signal) => {
      clearTimeout(timer)
      resolve({ ...ended, status, signal })
    })
  })
}

function read(reading: Reading, ended: Ended): Partial<StepResult> {
  const stdout = stripVTControlCharacters(ended.stdout)
  for (const [line] of stdout.matchAll(/row: .*/g)) print(line)
  if (reading === 'cargo') return { tally: countCargoTests(stdout) }
  if (reading === 'ava') return { tally: countAvaTests(stdout) }
  if (reading === 'json lines') return { json: stdout.split('\n').flatMap((line) => parsed(line)) }
  const [json] = parsed(stdout)
  return json === undefined ? {} : { json }
}

/** The value in an array; an empty one where the text is no JSON. */
function parsed(text: string): unknown[] {
  try {
    return [JSON.parse(text) as unknown]
  } catch {
    return []
  }
}

async function perform(step: Step): Promise<StepResult> {
  const { name, load = 0, reading } = step
  print(`--- ${name}`)
  const start = performance.now()
  const others = startLoad(load)
  const ended = await execute(step)
  others.forEach(kill)
  const { status, signal, timedOut } = ended
  const seconds = Math.round((performance.now() - start) / 100) / 10
  const result: StepResult = { name, status, signal, timedOut, seconds, ...read(reading, ended) }
  const isFailure = status !== 0 || (result.tally?.failed ?? 0) > 0
  if (isFailure) result.tail = stripVTControlCharacters(ended.stdout + ended.stderr).slice(-TAIL_CHARACTERS)
  return result
}

const [, processor = 'unknown'] =
  /^(?:model name|CPU part)\s*: (.+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8')) ?? []
report({ type: 'begin', kernel: release(), node: process.version, processor, processors: cpus().length })
const lossy = new Set<string>()
for (const step of steps) {
  if (step.unlessLost?.some((name) => lossy.has(name)) === true) {
    const nothing = { status: 0, signal: null, timedOut: false, seconds: 0 }
    report({ type: 'step', result: { name: step.name, ...nothing, skipped: true } })
    continue
  }
  const result = await perform(step)
  if (lostIn(result.json) > 0) lossy.add(step.name)
  report({ type: 'step', result })
}
report({ type: 'end', steps: steps.length })
for (const record of records) print(record)

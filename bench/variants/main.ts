/** A variant's process: makes the program that its argument describes, and runs the slices that stdin asks for. */
import { createInterface } from 'node:readline'

import type { Failure, Hello, Settings, SliceAnswer, SliceRequest } from '../protocol.js'
import { cancel } from './cancel.js'
import { current } from './current.js'
import { watchCollections } from './collections-watch.js'
import { watchLoop } from './loop-watch.js'
import { nop } from './nop.js'
import { pipe } from './pipe.js'
import { pingPong } from './ping-pong/program.js'
import type { Program } from './program.js'
import { read } from './read.js'
import { Recorder } from './recorder.js'
import { workers } from './workers.js'
import { write } from './write.js'

async function programOf(settings: Settings): Promise<Program> {
  switch (settings.work) {
    case 'nop':
      return nop(settings)
    case 'read':
      return read(settings)
    case 'write':
      return write(settings)
    case 'cancel':
      return cancel(settings)
    case 'ping-pong':
    case 'echo':
      return pingPong(settings)
    case 'current':
      return current(settings)
    case 'pipe':
      return pipe(settings)
    case 'workers':
      return workers(settings)
    default:
      throw new Error(`no such work: ${String(settings.work)}`)
  }
}

/** Processor time so far, in microseconds. Not every runtime tells. */
function usage(): { user: number; system: number } | null {
  try {
    const { user, system } = process.cpuUsage()
    return { user, system }
  } catch {
    return null
  }
}

async function runSlice(program: Program, request: SliceRequest): Promise<SliceAnswer> {
  const { concurrency, operations, measure } = request
  await program.prepare?.(concurrency)
  const recorder = measure === 'latency' ? new Recorder(concurrency, operations) : undefined
  const stopCollections = measure === 'latency' ? watchCollections() : undefined
  const stopLoop = measure === 'loop' ? watchLoop() : undefined
  const before = usage()
  const nanoseconds = await program.run(concurrency, operations, recorder)
  const after = usage()
  const loop = await stopLoop?.()
  const collections = await stopCollections?.()
  const cpu =
    before === null || after === null
      ? null
      : { user: after.user - before.user, system: after.system - before.system }
  return {
    operations,
    nanoseconds,
    cpu,
    ...(recorder === undefined ? {} : { latencies: recorder.latencies() }),
    ...(loop === undefined ? {} : { loop }),
    ...(collections === undefined ? {} : { collections }),
  }
}

function say(line: Hello | SliceAnswer | Failure): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** The runtime's own version: Bun and Deno tell Node's as well. */
function versionOf(): string {
  const { bun, deno, node } = process.versions as Record<string, string>
  return bun ?? deno ?? node ?? 'unknown'
}

const program = await programOf(JSON.parse(process.argv[2] ?? '{}') as Settings)
say({ ready: true, version: versionOf() })
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await runSlice(program, JSON.parse(line) as SliceRequest))
  } catch (error) {
    say({ error: String(error) })
  }
}
process.exit()

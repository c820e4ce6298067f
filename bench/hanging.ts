/** Cancel latency while four reads of FIFOs hang. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { spawnForOutput } from './command.js'
import { PROGRAMS, SCRATCH } from './paths.js'
import type { Hanging, Results } from './results.js'

/** Milliseconds: a thousand times what a cancel takes. */
const PATIENCE = 1000
const SAMPLES = 20

const VARIANTS = [
  { api: 'ring', name: 'ring.read, an AbortSignal' },
  { api: 'handle', name: 'FileHandle.read, an AbortSignal' },
  { api: 'socket', name: 'net.Socket, destroy()' },
] as const

export async function measureHanging(isQuick: boolean): Promise<NonNullable<Results['hanging']>> {
  const directory = mkdtempSync(join(SCRATCH, 'hanging-'))
  const variants: Hanging[] = []
  for (const { api, name } of VARIANTS) {
    const samples = isQuick ? SAMPLES / 4 : SAMPLES
    variants.push(await measure(name, { api, directory, patience: PATIENCE, samples }))
  }
  rmSync(directory, { recursive: true })
  return { patience: PATIENCE, variants }
}

async function measure(name: string, argument: object): Promise<Hanging> {
  const program = join(PROGRAMS, 'hang.js')
  const { stdout, error } = await spawnForOutput(process.execPath, [program, JSON.stringify(argument)])
  if (stdout === '') return { name, settle: [], stat: [], failure: error }
  return { name, ...(JSON.parse(stdout) as Pick<Hanging, 'settle' | 'stat'>) }
}

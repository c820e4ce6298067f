/** Memory of an operation in flight, each variant in fresh processes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { spawnForOutput } from './command.js'
import { PROGRAMS, SCRATCH } from './paths.js'
import type { Memory, Results } from './results.js'

/** As many as a ring has in flight by default: more would wait in its queue. */
const OPERATIONS = 4000
const PROCESSES = 5

const VARIANTS = [
  { api: 'core', name: 'ring.read, ring.alloc' },
  { api: 'own', name: "ring.read, caller's Buffer" },
  { api: 'none', name: 'ring.read, no buffer' },
  { api: 'callback', name: 'fs.read' },
  { api: 'handle', name: 'FileHandle.read' },
] as const

export async function measureMemory(isQuick: boolean): Promise<NonNullable<Results['memory']>> {
  const directory = mkdtempSync(join(SCRATCH, 'memory-'))
  const variants: Memory[] = VARIANTS.map(({ name }) => ({ name, heap: [], rss: [] }))
  for (let round = 0; round < (isQuick ? 1 : PROCESSES); round += 1) {
    for (const [index, { api }] of VARIANTS.entries()) {
      const variant = variants[index]
      if (variant !== undefined) await measure(variant, { api, directory, operations: OPERATIONS })
    }
  }
  rmSync(directory, { recursive: true })
  return { operations: OPERATIONS, variants }
}

async function measure(variant: Memory, argument: object): Promise<void> {
  const program = join(PROGRAMS, 'in-flight.js')
  const { stdout, error } = await spawnForOutput(process.execPath, [
    '--expose-gc',
    program,
    JSON.stringify(argument),
  ])
  if (stdout === '') {
    variant.failure = error
    return
  }
  const { heap, rss } = JSON.parse(stdout) as { heap: number; rss: number }
  variant.heap.push(heap)
  variant.rss.push(rss)
}

/** A runtime in a project, and the checks that are made there. */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import type { Checks } from './checks.js'
import { environment, makePath, mustRunIn, type Place, runIn } from './project.js'
import { platformOf, type Runtime } from './runtimes.js'

/** The package's own program. */
export const COMMAND = 'node_modules/uring-safe-cancel/dist/src/commands/cli.js'

export interface Surroundings {
  /** What the addon's package is named after. */
  platform: string
  place: Place
  /** How a file is run. */
  command: (...more: string[]) => string[]
  /** Runs it: what it prints. It must succeed. */
  output: (...more: string[]) => Promise<string>
  /** Runs it: how it ends. */
  status: (...more: string[]) => Promise<{ code: number | null; stdout: string; stderr: string }>
  check: (what: string, body: () => unknown) => Promise<void>
}

/** Where the runtime, which is `program`, finds the project, and nothing else. */
export function surround(checks: Checks, project: string, runtime: Runtime, program: string): Surroundings {
  const { name, args } = runtime
  const home = join(project, '..', `home-${name}`)
  mkdirSync(home)
  const path = makePath(join(project, '..', `bin-${name}`), program)
  const place: Place = { directory: project, env: environment(path, home) }
  const command = (...more: string[]) => [program, ...args, ...more]
  return {
    platform: platformOf(runtime),
    place,
    command,
    output: (...more) => mustRunIn(place, command(...more)),
    status: async (...more) => {
      const { status: code, stdout, stderr } = await runIn(place, command(...more))
      return { code, stdout, stderr }
    },
    check: (what, body) => checks.check(`${name}: ${what}`, body),
  }
}

/** Fails unless these are the lines of the output. */
export function lines(output: string, expected: readonly string[]): void {
  assert.deepEqual(output.trimEnd().split('\n'), expected)
}

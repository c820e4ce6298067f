/** The whole run: builds each target, judges it, and tells what came of it. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { Cache } from '../common/cache.js'
import { demand } from '../common/commands.js'
import { Missing } from '../common/failure.js'
import { build, privatePaths } from './build.js'
import { readElf } from './elf.js'
import { demandsOf, faultsOf } from './gate.js'
import { HELP, type Options, parseOptions, UsageError } from './options.js'
import { addonOf, type Target } from './targets.js'

/** EX_USAGE and EX_UNAVAILABLE of sysexits.h. */
const Exit = { BUILT: 0, FAILED: 1, USAGE: 64, UNAVAILABLE: 69 } as const

/** Below the repository, and ignored by git. */
export const CACHE = '.cache/prebuilt'

interface Outcome {
  target: Target
  faults: readonly string[]
  isMissing: boolean
  /** Of one that was built. */
  summary?: string
}

/** Runs the command, and gives back its exit status. */
export async function main(args: readonly string[], root: string): Promise<number> {
  try {
    const options = parseOptions(args)
    if (options.help) {
      console.log(HELP)
      return Exit.BUILT
    }
    return await run(options, root)
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`build:prebuilt: ${error.message}\n\n${HELP}`)
      return Exit.USAGE
    }
    if (error instanceof Missing) {
      console.error(`build:prebuilt: ${error.message}`)
      return Exit.UNAVAILABLE
    }
    throw error
  }
}

async function run({ targets, check }: Options, root: string): Promise<number> {
  const programs = {
    readelf: 'binutils',
    ...(!check && { gcc: 'gcc', npm: 'npm', tar: 'tar', xz: 'xz-utils' }),
  }
  for (const [program, name] of Object.entries(programs)) demand(program, name)
  const cache = new Cache(join(root, CACHE))
  const outcomes: Outcome[] = []
  for (const target of targets) {
    const outcome = await attempt(root, cache, target, check)
    outcomes.push(outcome)
    console.log(`${target.name}: ${outcome.summary ?? 'not built'}`)
    for (const fault of outcome.faults) console.log(`  FAILED: ${fault}`)
  }
  const failed = outcomes.filter(({ faults }) => faults.length > 0)
  console.log(`\n${outcomes.length - failed.length} passed, ${failed.length} failed`)
  if (failed.length === 0) return Exit.BUILT
  return failed.every(({ isMissing }) => isMissing) ? Exit.UNAVAILABLE : Exit.FAILED
}

/** A target that cannot be built does not keep the others from it. */
async function attempt(root: string, cache: Cache, target: Target, check: boolean): Promise<Outcome> {
  const start = performance.now()
  const path = addonOf(target)
  try {
    if (check && !existsSync(join(root, path)))
      throw new Missing(`${path} is missing: npm run build:prebuilt`)
    const rust = check ? undefined : await build(root, cache, target)
    const elf = await readElf(join(root, path))
    const seconds = Math.round((performance.now() - start) / 1000)
    const how = rust === undefined ? '' : `, by rustc ${rust} in ${seconds} s`
    const needs = demandsOf(elf, target.libc)
    const summary = `${path}: ${elf.bytes.length.toLocaleString('en')} bytes, ${needs}${how}`
    const faults = faultsOf(elf, target, privatePaths(root))
    // Nobody is to pack what does not pass.
    if (!check && faults.length > 0) rmSync(join(root, path))
    return { target, faults, isMissing: false, summary }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { target, faults: [message], isMissing: error instanceof Missing }
  }
}

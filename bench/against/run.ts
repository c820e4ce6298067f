/** `npm run bench -- --against COMMIT`: that commit's build and this one, in turn, in one run. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join } from 'node:path'

import { output } from '../command.js'
import { makeFile, RANDOM_BYTES } from '../files.js'
import { binding, core, perOperation, type Run } from '../instructions.js'
import { type Effort, measureWork } from '../measure.js'
import type { Options } from '../options.js'
import { AGAINST_REPORT, LIBRARY, SCRATCH } from '../paths.js'
import { built, commandOf, NODE, type Peers } from '../peers.js'
import { buildPrograms } from '../prepare.js'
import type { Work } from '../work.js'
import { type Build, buildOf } from './build.js'
import { reportOf, type Results } from './report.js'
import { BASE, THIS, worksAgainst, worksOfLooks } from './rows.js'
import { countSystemCalls } from './system-calls.js'

type Progress = (text: string) => void

const EXTRAS = ['instructions', 'system-calls']

/** The processes differ by some percent for as long as they live: many of them, so that it cancels out. */
const GENERATIONS = 8

const NOBODY = { missing: 'it is not compared' }
const PEERS: Peers = { floor: NOBODY, node: NODE, bun: NOBODY, deno: NOBODY }

function effortOf({ rounds, slice, quick }: Options): Effort {
  return {
    rounds,
    slice,
    generations: quick ? 1 : Math.min(rounds, GENERATIONS),
    detailRounds: 0,
    warmUp: quick ? slice * 4 : slice * 10,
  }
}

export async function runAgainst(
  revision: string,
  options: Options,
  here: string,
  progress: Progress,
): Promise<void> {
  const { only, rounds } = options
  const path = join(SCRATCH, 'against.bin')
  const looks = worksOfLooks()
  const known = [...worksAgainst(path, { base: '', here: '' }), ...looks].map(({ id }) => id)
  known.push(...EXTRAS)
  const unknown = only.find((id) => !known.includes(id))
  if (unknown !== undefined) throw new Error(`--against has no row ${unknown}: there are ${known.join(', ')}`)
  const wants = (id: string) => only.length === 0 || only.includes(id)
  const base = await buildOf(revision, progress)
  buildPrograms(['uring-safe-cancel-instructions'])
  const works = worksAgainst(path, { base: base.library, here: LIBRARY })
  const results: Results = {
    base: base.commit,
    here,
    machine: `${cpus()[0]?.model.trim() ?? 'unknown'}, Linux ${release()}, Node ${NODE.version}`,
    rounds,
    works: [],
    looks: [],
    instructions: [],
    systemCalls: [],
    skipped: [],
  }
  mkdirSync(SCRATCH, { recursive: true })
  makeFile(path, RANDOM_BYTES)
  try {
    for (const work of works) {
      if (wants(work.id)) results.works.push(await measureWork(work, PEERS, effortOf(options), progress))
    }
    for (const work of looks) {
      if (wants(work.id)) results.looks.push(await measureWork(work, PEERS, effortOf(options), progress))
    }
    if (wants('instructions')) await compareInstructions(results, base, path, options, progress)
    if (wants('system-calls')) await compareSystemCalls(results, works, progress)
  } finally {
    rmSync(path, { force: true })
  }
  const report = reportOf(results)
  const files = {
    md: options.publish ? AGAINST_REPORT : join(SCRATCH, 'against.md'),
    json: join(SCRATCH, 'against.json'),
  }
  writeFileSync(files.md, report)
  writeFileSync(files.json, JSON.stringify(results, null, 1))
  console.log(`\n${report}\n${files.md}\n${files.json}`)
}

/** Each figure of both builds; what cannot be counted is left out by name. */
async function compareInstructions(
  results: Results,
  base: Build,
  path: string,
  options: Options,
  progress: Progress,
): Promise<void> {
  progress('instructions')
  const { quick } = options
  const { instructions, skipped } = results
  const directory = mkdtempSync(join(SCRATCH, 'callgrind-'))
  const of = async (name: string, before: Run, after: Run) => {
    try {
      const [one, other] = [await perOperation(directory, before), await perOperation(directory, after)]
      instructions.push({ name, base: one, here: other })
    } catch (error) {
      skipped.push({ name: `instructions, ${name}`, why: String(error) })
    }
  }
  try {
    await output('valgrind', ['--version'])
    for (const batch of quick ? [32] : [1, 32]) {
      for (const work of ['nop', 'read', 'pipe', 'cancel']) {
        const name = `${work}, ${batch} in flight: the core`
        if ('missing' in base.instructions) skipped.push({ name, why: base.instructions.missing })
        else
          await of(
            name,
            core(work, batch, base.instructions.program),
            core(work, batch, built('instructions')),
          )
      }
      // Node takes its time under valgrind.
      for (const work of quick ? [] : ['nop', 'read', 'pipe']) {
        const name = `${work}, ${batch} in flight: the binding and the core`
        await of(name, binding(work, batch, path, base.library), binding(work, batch, path))
      }
    }
  } catch (error) {
    skipped.push({ name: 'instructions', why: String(error) })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function compareSystemCalls(
  { systemCalls, skipped }: Results,
  works: readonly Work[],
  progress: Progress,
): Promise<void> {
  progress('system calls')
  for (const { title, concurrency, variants } of works) {
    for (const at of concurrency) {
      const name = `${title}, ${at} in flight`
      const of = async (id: string) => {
        const variant = variants.find((one) => one.id === id)
        const command = variant && commandOf(variant, PEERS)
        if (!Array.isArray(command)) throw new Error(`no variant ${id}`)
        return countSystemCalls(command, at)
      }
      try {
        systemCalls.push({ name, base: await of(BASE), here: await of(THIS) })
      } catch (error) {
        skipped.push({ name: `system calls, ${name}`, why: String(error) })
        // Where the first cannot be traced, none can.
        if (systemCalls.length === 0) return
      }
    }
  }
}

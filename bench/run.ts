/** `npm run bench`: measures, judges, and writes the report. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'

import { runAgainst } from './against/run.js'
import { output } from './command.js'
import { measureHanging } from './hanging.js'
import { countInstructions } from './instructions.js'
import { judge } from './judge.js'
import { loadLibrary } from './library.js'
import { type Effort, measureWork } from './measure.js'
import { measureMemory } from './memory.js'
import { HELP, type Options, parseOptions } from './options.js'
import { NOTES, PLOTS, REPORT, SCRATCH } from './paths.js'
import { findPeers, type Peers } from './peers.js'
import { buildPrograms, groundOf, installPackages, makeFiles, removeFiles } from './prepare.js'
import { documentOf } from './report/document.js'
import { type Draw, loadVega, plotOf } from './report/plots.js'
import type { Results } from './results.js'
import { TARGETS } from './targets.js'
import type { Work } from './work.js'
import { allWorks, type Ground } from './works/all.js'

const EXTRAS = ['hanging', 'memory', 'instructions']
/** A short run measures these at most, and the largest of a work. */
const QUICK_CONCURRENCY = new Set([1, 32])
/** More cost more time in starting and warming up than they bring. */
const GENERATIONS = 3
/** Two for each generation. */
const DETAIL_ROUNDS = 6

function effortOf({ rounds, slice, quick }: Options): Effort {
  return {
    rounds,
    slice,
    generations: quick ? 1 : Math.min(rounds, GENERATIONS),
    detailRounds: quick ? 1 : Math.min(rounds, DETAIL_ROUNDS),
    warmUp: quick ? slice * 4 : slice * 10,
  }
}

/** What a short run measures of a work. */
function shorten(work: Work): Work {
  const largest = Math.max(...work.concurrency)
  const concurrency = work.concurrency.filter((one) => QUICK_CONCURRENCY.has(one) || one === largest)
  return { ...work, concurrency, details: work.details.filter((one) => one === largest) }
}

function knownIds(works: readonly Work[]): string[] {
  return [...works.map(({ id }) => id), ...EXTRAS]
}

function chosenWorks(options: Options, ground: Ground): Work[] {
  const all = allWorks(ground)
  const works = options.quick ? all.map((work) => shorten(work)) : all
  const known = knownIds(all)
  const unknown = options.only.find((id) => !known.includes(id))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${known.join(', ')}`)
  return options.only.length === 0 ? works : works.filter(({ id }) => options.only.includes(id))
}

function versionsOf(peers: Peers): Record<string, string> {
  const entries = Object.entries(peers).map(([name, peer]) => [
    name,
    'missing' in peer ? 'not there' : peer.version,
  ])
  return { ...Object.fromEntries(entries), V8: process.versions.v8, libuv: process.versions.uv }
}

async function commitOf(): Promise<string> {
  try {
    const commit = (await output('git', ['rev-parse', '--short=12', 'HEAD'])).trim()
    const changes = (await output('git', ['status', '--porcelain', '--', 'src', 'crates', 'bench'])).trim()
    return changes === '' ? commit : `${commit}, with changes`
  } catch {
    return 'unknown'
  }
}

async function drawPlots(results: Results, directory: string, into: string): Promise<Map<string, string>> {
  const plots = new Map<string, string>()
  let draw: Draw
  try {
    draw = await loadVega()
  } catch (error) {
    results.skipped.push({ name: 'plots', why: String(error) })
    return plots
  }
  mkdirSync(directory, { recursive: true })
  for (const result of results.works) {
    const plot = plotOf(result)
    if (plot === undefined) continue
    const { id } = result.work
    writeFileSync(join(directory, `${id}.svg`), `${await draw(plot)}\n`)
    plots.set(id, `${into}/${id}.svg`)
  }
  return plots
}

async function write(results: Results, options: Options): Promise<void> {
  const report = options.publish ? REPORT : join(SCRATCH, 'performance.md')
  const directory = options.publish ? PLOTS : join(SCRATCH, 'performance')
  const plots = await drawPlots(results, directory, 'performance')
  const notes = existsSync(NOTES) ? readFileSync(NOTES, 'utf8') : ''
  mkdirSync(dirname(report), { recursive: true })
  writeFileSync(report, documentOf(results, notes, plots))
  const raw = join(SCRATCH, 'performance.json')
  writeFileSync(raw, JSON.stringify(results, null, 1))
  console.log(`\n${report}\n${raw}`)
}

function progressFrom(begun: number): (text: string) => void {
  return (text) => {
    const seconds = (performance.now() - begun) / 1000
    console.log(`${seconds.toFixed(0).padStart(5)} s  ${text}`)
  }
}

async function run(options: Options): Promise<void> {
  const begun = performance.now()
  const seconds = () => (performance.now() - begun) / 1000
  const progress = progressFrom(begun)
  installPackages()
  buildPrograms()
  const { Ring } = await loadLibrary()
  const { supported, ...why } = Ring.probe()
  if (!supported) throw new Error(`no io_uring here: ${JSON.stringify(why)}`)

  const peers = await findPeers()
  const processors = availableParallelism()
  const paths = groundOf(processors, options.quick)
  const works = chosenWorks(options, paths)
  const wants = (extra: string) => options.only.length === 0 || options.only.includes(extra)
  progress('files')
  const skipped = makeFiles(works, paths, wants('instructions'))
  const results: Results = {
    date: new Date().toISOString(),
    commit: await commitOf(),
    machine: {
      processor: cpus()[0]?.model.trim() ?? 'unknown',
      processors,
      memory: totalmem(),
      kernel: release(),
      fileSystem: paths.fileSystem,
    },
    versions: versionsOf(peers),
    options: { rounds: options.rounds, slice: options.slice, quick: options.quick, only: options.only },
    seconds: 0,
    works: [],
    skipped,
  }
  const effort = effortOf(options)
  for (const work of works) {
    if (skipped.some(({ name }) => name === work.title)) continue
    results.works.push(await measureWork(work, peers, effort, progress))
  }
  if (wants('hanging')) {
    progress('hanging reads')
    results.hanging = await measureHanging(options.quick)
  }
  if (wants('memory')) {
    progress('memory')
    results.memory = await measureMemory(options.quick)
  }
  if (wants('instructions')) {
    progress('instructions')
    try {
      results.instructions = await countInstructions(paths.random, options.quick)
    } catch (error) {
      results.skipped.push({ name: 'instructions', why: String(error) })
    }
  }
  removeFiles(paths)
  results.seconds = seconds()
  const verdicts = judge(results.works, TARGETS)
  const count = (isReached: boolean | undefined) =>
    verdicts.filter((one) => one.isReached === isReached).length
  progress(`targets: ${count(true)} reached, ${count(false)} not reached, ${count(undefined)} not measured`)
  await write(results, options)
}

const options = parseOptions(process.argv.slice(2))
if (options === 'help') console.log(HELP)
else if (options === 'list') console.log(knownIds(allWorks(groundOf(1, false))).join('\n'))
else if (options.against === undefined) await run(options)
else await runAgainst(options.against, options, await commitOf(), progressFrom(performance.now()))
process.exit()

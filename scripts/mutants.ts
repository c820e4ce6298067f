/**
 * `npm run mutants`: changes the cancellation machine and the in-flight table in every way that cargo-mutants knows,
 * and fails if a change survives the unit tests and the quick models, unless crates/model/SURVIVORS.md explains it.
 * Arguments are handed on: `npm run mutants -- --shard 0/8` to `--shard 7/8` run it in pieces.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'

const EXPLAINED = 'crates/model/SURVIVORS.md'
const OUTPUT = 'target/mutants.out'
/** How cargo-mutants ends where all is well, where a mutant survived, and where one ran into a time limit. */
const RAN = new Set([0, 2, 3])

async function run(args: string[], stdio: 'inherit' | 'ignore'): Promise<number> {
  const env = {
    ...process.env,
    // Each mutant is linked anew: half of that time would be for debug information that nobody reads.
    CARGO_PROFILE_DEV_DEBUG: '0',
    // cargo-mutants works in a copy. This saves it from building the dependencies each time.
    CARGO_TARGET_DIR: `${process.cwd()}/target/mutants`,
  }
  const [status] = await once(spawn('cargo', args, { env, stdio }), 'close')
  return typeof status === 'number' ? status : 1
}

async function lines(file: string): Promise<string[]> {
  const text = await readFile(`${OUTPUT}/${file}`, 'utf8')
  return text.split('\n').filter((line) => line !== '')
}

/** A mutant's name without the line and the column, which change with every edit above. */
function named(mutant: string): string {
  return mutant.replace(/^crates\/uring-safe-cancel\/src\/([^:]+):\d+:\d+: /, '$1: ')
}

// Built side by side they would share the directory above, and be tested in each other's place.
if (process.argv.some((argument) => /^(-j|--jobs)/.test(argument))) {
  console.error('mutants: no --jobs; run other shards in clones of their own')
  process.exit(64)
}
if ((await run(['mutants', '--version'], 'ignore')) !== 0) {
  console.error('cargo-mutants is missing: cargo install cargo-mutants --locked')
  process.exit(1)
}

const status = await run(
  ['mutants', '--config', 'crates/model/mutants.toml', '--output', 'target', ...process.argv.slice(2)],
  'inherit',
)
if (!RAN.has(status)) process.exit(status)

const [caught, timedOut, missed, unviable] = await Promise.all(
  ['caught.txt', 'timeout.txt', 'missed.txt', 'unviable.txt'].map((file) => lines(file)),
)
/** The names of the survivors that are explained, each as often as it is. */
const explained = [...(await readFile(EXPLAINED, 'utf8')).matchAll(/^- `([^`]+)`/gm)].map(([, name]) => name)
const unexplained = (missed ?? []).filter((mutant) => {
  const place = explained.indexOf(named(mutant))
  if (place !== -1) explained.splice(place, 1)
  return place === -1
})

const survived = missed?.length ?? 0
console.log(
  `${caught?.length} mutants killed, ${timedOut?.length} by the time limit, ${unviable?.length} did not build, ` +
    `${survived} survived, ${survived - unexplained.length} of them explained in ${EXPLAINED}`,
)
for (const mutant of unexplained) console.log(`not explained: ${mutant}`)
process.exitCode = unexplained.length === 0 ? 0 : 1

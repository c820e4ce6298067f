/**
 * `npm run test:asan`: the Rust tests of the core, and the ava tests on an addon, both with AddressSanitizer.
 *
 * The stable toolchain builds it, by RUSTC_BOOTSTRAP. `--cfg asan` makes the arena forbid its free memory, of which the
 * sanitizer would know nothing (memory/poison.rs). The last line is `N passed, N failed`.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

import { countAvaTests, countCargoTests } from './counts.js'
import { BIN, COPY, GROUND, HOME, REPORTS, runtime, TARGET } from './asan/places.js'
import { type Leg, runLegs } from './legs.js'

/**
 * Tests that cannot run here, by their titles. They measure the resident set, or bound it, and the sanitizer keeps what
 * is freed for a while, to notice its use, and has a shadow of everything.
 */
const LEFT_OUT = [
  '*leave nothing*',
  '*fails the soak',
  'a bounded arena in a small group*',
  'without a bound: *',
]

/**
 * With `-- --short`, for CI, only these: where the addon is worked hardest in the least time. The others start hundreds
 * of processes, each of which loads the runtime (cli, most faults), run the same traffic for minutes (stress), or have
 * no addon in them.
 */
const SHORT = [
  'arguments.test.ts',
  'contract.test.ts',
  'hostile.test.ts',
  'leaks.test.ts',
  'operation-table.test.ts',
  'operations.test.ts',
  'ownership.test.ts',
  'sequences.test.ts',
  'waker.test.ts',
]

/** The core's test of its resident set, for the same reason as above. */
const LEFT_OUT_OF_CORE = 'memory_and_descriptors_are_flat'

const isShort = process.argv.includes('--short')
const all = readdirSync(join(HOME, '__test__'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.test.ts'),
)
const files = isShort ? SHORT : all
const others = all.filter((name) => !files.includes(name))

const FLAGS = '-Zsanitizer=address --cfg asan'
/** With --target, cargo leaves build scripts and macros, which the compiler loads, as they are. */
const build = { RUSTC_BOOTSTRAP: '1', RUSTFLAGS: FLAGS, RUSTDOCFLAGS: FLAGS, CARGO_TARGET_DIR: GROUND }
const NODE = 'node --import=@oxc-node/core/register'

const legs: Leg[] = [
  {
    name: 'core',
    command: `cargo test --package uring-safe-cancel --all-features --target ${TARGET} --no-fail-fast -- --skip ${LEFT_OUT_OF_CORE}`,
    // What a ring gives up on is leaked, which is the contract's: a check of leaks would find only that.
    env: { ...build, ASAN_OPTIONS: 'detect_leaks=0' },
    count: countCargoTests,
  },
  {
    name: 'addon',
    command: `cargo build --release --package uring-safe-cancel-node --target ${TARGET}`,
    env: build,
  },
  { name: 'package', command: `npm run build && ${NODE} scripts/asan/package.ts` },
  {
    name: 'ava',
    command: `ava ${LEFT_OUT.map((title) => `--match='!${title}'`).join(' ')} ${files.map((name) => `__test__/${name}`).join(' ')}`,
    directory: COPY,
    env: {
      LD_PRELOAD: runtime(),
      PATH: `${BIN}:${process.env['PATH'] ?? ''}`,
      // A status of its own: some tests expect that a process fails. V8's memory is no leak, but looks like one.
      ASAN_OPTIONS: `detect_leaks=0:exitcode=86:log_path=${REPORTS}/asan`,
    },
    count: countAvaTests,
  },
  { name: 'reports', command: `${NODE} scripts/asan/reports.ts` },
]

const named = [LEFT_OUT_OF_CORE, ...LEFT_OUT].join(', ')
console.log(`left out, because they measure or bound the resident set: ${named}`)
if (isShort) console.log(`left out, because it is the short run: ${others.join(', ')}`)
await runLegs(legs)

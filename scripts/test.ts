/**
 * `npm test`: runs every check in order, stops for nothing, and ends with `N passed, N failed`.
 *
 * Each leg without tests of its own counts as one check. cargo test and ava count by their tests, and as
 * failed where they report none.
 */
import { countAvaTests, countCargoTests } from './counts.js'
import { type Leg, runLegs } from './legs.js'

const legs: Leg[] = [
  { name: 'build', command: 'npm run build' },
  { name: 'cargo fmt', command: 'cargo fmt --all --check' },
  { name: 'clippy', command: 'cargo clippy --workspace --all-targets --all-features -- -D warnings' },
  {
    name: 'cargo test',
    command: 'cargo test --workspace --all-features --no-fail-fast',
    count: countCargoTests,
  },
  { name: 'typecheck', command: 'npm run typecheck' },
  { name: 'lint', command: 'npm run lint' },
  { name: 'docs', command: 'npm run docs' },
  { name: 'ava', command: 'ava', count: countAvaTests },
]

await runLegs(legs)

/**
 * `npm test`: runs every check in order, stops for nothing, and ends with `N passed, N failed`. Checks in one list run at
 * once.
 *
 * Each leg without tests of its own counts as one check. cargo test and ava count by their tests, and as
 * failed where they report none.
 */
import { avaFiles } from './ava-files.js'
import { countAvaTests, countCargoTests } from './counts.js'
import { type Leg, runLegs } from './legs.js'

const files = avaFiles()

function ava(name: string, of: string[]): Leg {
  return { name, command: `ava ${of.join(' ')}`, count: countAvaTests }
}

const legs: (Leg | Leg[])[] = [
  { name: 'build', command: 'npm run build' },
  { name: 'cargo fmt', command: 'cargo fmt --all --check' },
  [
    {
      name: 'clippy',
      command: 'cargo clippy --workspace --all-targets --all-features -- -D warnings',
    },
    { name: 'lint', command: 'npm run lint' },
    { name: 'typecheck', command: 'npm run typecheck' },
    { name: 'docs', command: 'npm run docs' },
  ],
  {
    name: 'cargo test',
    command: 'cargo test --workspace --all-features --no-fail-fast',
    count: countCargoTests,
  },
  files.beside.map((list, index) => ava(`ava beside ${index + 1}`, list)),
  ava('ava alone', files.alone),
]

await runLegs(legs)

/** The whole report, from the results and the hand-written notes. */
import { judge } from '../judge.js'
import type { Results } from '../results.js'
import { TARGETS } from '../targets.js'
import { hangingSection, instructionsSection, machineTable, memorySection } from './others.js'
import { targetsSection } from './targets.js'
import { workSection } from './work.js'

const METHOD = `Every variant of a work runs in a process of its own, which stays for several rounds and blocks on its stdin while
others run. (A full run replaces all processes twice: two processes of one program differ by some percent.) It first runs slices until its speed is steady, then each round runs one slice of every variant in turn:
A B C A B C …. A ratio is the median of the ratios within each round, so that what slows the whole machine cancels
out; the figures in brackets are the quartiles of the rounds. Each variant does as many operations as take one slice,
checks the count of each and looks at the content of its reads, and draws its offsets from the same generator.

The floor is the same work in one Rust thread on the io-uring crate, without JavaScript and without this library:
the same ring flags, a buffer for each operation in flight, one system call to submit and to wait. 'Registered' is
the same with a registered file and registered buffers. Unless it says otherwise, a ring is in safe mode, the default.

Latencies and the event loop are measured in slices of their own. The longest batch is the longest turn of the event
loop by its processor time, without garbage collection, the median of the rounds; the longest turn is by the clock,
and also has what the system did meanwhile.`

export function documentOf(results: Results, notes: string, plots: ReadonlyMap<string, string>): string {
  const { works, skipped, hanging, memory, instructions } = results
  const parts = [
    '# Performance',
    '<!-- Written by `npm run bench`, except for what it includes of performance-notes.md. Do not edit. -->',
    'Written by `npm run bench`, from what it measured; `npm run bench -- --help` tells of shorter forms.',
    machineTable(results),
    targetsSection(judge(works, TARGETS), works),
    notes.trim(),
    '## How it is measured',
    METHOD,
    ...works.map((result) => workSection(result, plots.get(result.work.id))),
    ...(hanging === undefined ? [] : [hangingSection(hanging)]),
    ...(memory === undefined ? [] : [memorySection(memory)]),
    ...(instructions === undefined ? [] : [instructionsSection(instructions)]),
    ...(skipped.length === 0
      ? []
      : ['## Left out', skipped.map(({ name, why }) => `- ${name}: ${why}`).join('\n')]),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

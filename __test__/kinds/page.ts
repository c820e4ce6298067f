/** docs/kinds.md: what the run saw of each kind and operation. */
import { release } from 'node:os'

import { sorted } from '../../scripts/common/sorted.js'
import type { Kind } from './kind.js'
import { type Operation, OPERATIONS } from './operations.js'
import { DIFFERENCES, mayWait } from './rules.js'
import type { Result, Run } from './run.js'
import { type Excluded, nameOf } from './select.js'

/** How an operation waits, as it was seen. */
export type Way = 'inline' | 'poll' | 'tried and polled' | 'worker' | 'timer or thread' | 'thread'

const POLL_ADD = 6

/** What was seen of one cell: the polls that the ring had armed as it waited, and the kernel's workers. */
export function wayOf({ cell: { operation }, ring }: Result): Way | undefined {
  if (ring.result === 'frozen' || ring.result === 'never') return undefined
  if (operation.name === 'close' && ring.closers > 0) return 'thread'
  if (!ring.didWait) return ring.workers > 0 ? 'worker' : 'inline'
  const { look } = ring
  if (look === undefined) return undefined
  if (operation.opcodes.some((opcode) => look.armed.includes(opcode))) return 'poll'
  if (look.armed.includes(POLL_ADD)) return 'tried and polled'
  return look.workers > 0 || ring.workers > 0 ? 'worker' : 'timer or thread'
}

/** In which release of Linux each way began to be as it is here. */
const SINCE: Record<Way, string> = {
  inline: '5.1',
  poll: '5.7',
  'tried and polled': '5.1',
  worker: '5.5',
  'timer or thread': '5.4',
  thread: '5.1',
}

function unique<T>(values: Iterable<T>): T[] {
  return [...new Set(values)]
}

function endsOf(results: Result[]): string[] {
  return results.flatMap(({ cell: { situation }, ring, verdict }) => {
    if (verdict.faults.length > 0 || !ring.didWait) return []
    if (situation.cancel !== undefined)
      return ring.result === 'cancelled' ? [situation.cancel] : [`${situation.cancel} (${ring.result})`]
    if (situation.name === 'hang-up') return [`hang-up (${ring.result})`]
    return situation.name === 'none' ? ['what it waits for'] : []
  })
}

function rowOf(kind: Kind, operation: Operation, results: Result[]): string {
  const plain = results.filter(
    ({ cell }) => cell.situation.isAsync !== true && cell.situation.isRace !== true,
  )
  const ways = unique(plain.flatMap((result) => wayOf(result) ?? []))
  const doesWait = plain.some(({ ring }) => ring.didWait)
  const waiting = unique(plain.filter(({ ring }) => ring.didWait).flatMap((result) => wayOf(result) ?? []))
  const how = doesWait ? `waits: ${waiting.join(', ') || 'not seen'}` : ways.join(', ') || 'not seen'
  const [since = ''] = sorted((doesWait ? waiting : ways).map((way) => SINCE[way]))
  const ends = unique(endsOf(plain)).join(', ')
  const purposes = unique(results.flatMap(({ verdict }) => verdict.onPurpose))
  const failed = results.filter(({ verdict }) => verdict.faults.length > 0).length
  const gap = Math.max(0, ...results.map(({ ring }) => ring.gap))
  const held = Math.max(0, ...results.map(({ ring }) => ring.held))
  const besides = results.flatMap(({ nodeFs }) => (nodeFs === undefined ? [] : [nodeFs.gap]))
  const beside = besides.length === 0 ? '' : Math.max(...besides).toFixed(0)
  const notes = purposes.map((name) =>
    String(DIFFERENCES.findIndex((difference) => difference.name === name) + 1),
  )
  const cells = `${results.length - failed}${failed > 0 ? ` (**${failed} fail**)` : ''}`
  return `| ${kind.name} | ${operation.name} | ${how} | ${ends} | ${since} | ${notes.join(', ')} | ${cells} | ${gap.toFixed(0)} | ${beside} | ${held.toFixed(0)} |`
}

function tally(excluded: Excluded[]): string[] {
  const counts = new Map<string, number>()
  for (const { reason } of excluded) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return sorted(counts, (a, b) => b[1] - a[1]).map(([reason, count]) => `| ${reason} | ${count} |`)
}

export function pageOf(run: Run, excluded: Excluded[]): string {
  const byRow = new Map<string, Result[]>()
  for (const result of run.results) {
    const key = `${result.cell.kind.name} * ${result.cell.operation.name}`
    byRow.set(key, [...(byRow.get(key) ?? []), result])
  }
  const kinds = unique(run.results.map(({ cell }) => cell.kind))
  const rows = kinds.flatMap((kind) =>
    OPERATIONS.flatMap((operation) => {
      const results = byRow.get(`${kind.name} * ${operation.name}`)
      return results === undefined ? [] : [rowOf(kind, operation, results)]
    }),
  )
  const failed = run.results.filter(({ verdict }) => verdict.faults.length > 0)
  const races = run.results.flatMap(({ cell, ring: { met } }) =>
    met === undefined ? [] : [`| ${nameOf(cell)} | ${met.completed} | ${met.cancelled} |`],
  )
  const missing = [...run.missing].map(([{ name }, why]) => `- ${name}: ${why}`)
  const couldWait = run.results.filter(({ cell }) => mayWait(cell)).length
  return `# Kinds of descriptors

Written by \`npm run test:kinds\` on Linux ${release()}, ${process.arch}, never by hand. Each cell is a kind × an operation × a situation. It was
done once with plain blocking system calls in a process of its own, and once with the ring, and compared: result or errno, the
bytes on both sides, the position, what a following read finds, whether it waits, the time, the longest gap of the event loop,
and the longest single system call in which the ring's thread slept (looked at every millisecond).

${run.results.length} cells run, of which ${couldWait} are on what may wait; ${failed.length} fail; ${excluded.length} excluded by ${tally(excluded).length} rules; ${run.missing.size} kinds missing; ${run.broken.size} could not be run.

## Kinds that this machine lacks

${missing.join('\n') || 'None.'}

## How each operation waits

*How* was seen: "poll", the kernel has armed a poll for the operation itself (fdinfo of the ring); "tried and polled", a poll of the library's, after
which it tries; "worker", a thread of the kernel's was in it, or ran; "thread", one of the library's that calls close(2); "timer or thread", none of these; "inline", it did not wait. *Since* is the release of
Linux in which that way began, from the kernel's history, and was not seen. *Ends it* names what ended a wait in some cell. Gap (of the event loop, without what its thread waited
for a processor) and held (in one system call) are milliseconds, the largest of the row's cells; a cell above 50, or 10, runs three times, and the least counts. *node:fs* is the event loop's gap while
node:fs does the row's cells "bytes there" and "none", whose operations are its threads'; it has no poll. Numbers of notes are below.

| kind | operation | how | ends it | since | notes | cells | gap | node:fs | held |
|---|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}

## Blocking terminals, kernel by kernel

What the kernel does by itself with a plain read or write that cannot go on, and what the ring does, therefore. This table is not the
run's: \`npm run test:kernels\` runs the tests of terminals in each of these.

| kernel | the kernel, of a plain one | the ring |
|---|---|---|
| 5.10 | gives it to a worker | plain |
| 6.1, 6.8 | gives it to a worker | plain: workers that get it by IOSQE_ASYNC may spin |
| 6.12, 6.18, 7 | holds the caller, once a poll of it was wrong | IOSQE_ASYNC: it is polled, and only what is there is a worker's |

With O_NONBLOCK all of them poll.

## Where the ring differs on purpose

${DIFFERENCES.map(({ name, sentence }, index) => `${index + 1}. ${name}. [contract.md](contract.md): "${sentence}".`).join('\n')}

On O_NONBLOCK descriptors the expectation is the system call's on the same without O_NONBLOCK where that one answers EAGAIN: reads and writes of
a ring wait.

## Races

Bytes and a cancel at once: each time the bytes were in the result, or a following read found them.

| cell | completed | cancelled |
|---|---|---|
${races.join('\n')}

## Excluded

| rule | cells |
|---|---|
${tally(excluded).join('\n')}

## Failing

${failed.map(({ cell, verdict }) => `- ${nameOf(cell)}: ${verdict.faults.join('; ')}`).join('\n') || 'None.'}
`
}

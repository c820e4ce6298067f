/** docs/devices.md, from a run. */
import { failureOf, testsOn } from '../kernels/outcome.js'
import { NOT_DONE } from './not-done.js'
import { LONGEST_BUSY, LONGEST_GAP, LONGEST_SLEEP, type Pass, titleOf } from './row.js'
import { DEVICES } from './rows/index.js'
import { judgeRows, isKernel, type JudgedRow, type OnKernel, type Outcome } from './verdict.js'

export interface Circumstances {
  date: Date
  command: string
  qemu: string
  qemuArguments: readonly string[]
  host: string
}

type Cells = readonly string[]

/** The page. */
export function formatReport(outcomes: readonly Outcome[], circumstances: Circumstances): string {
  const { date, command, qemu, qemuArguments, host } = circumstances
  const booted = outcomes.filter(isKernel)
  const kernels = booted.map((outcome) => ({ outcome, rows: judgeRows(outcome) }))
  const node = booted.find(({ transcript }) => transcript.node !== undefined)?.transcript.node ?? 'unknown'
  const sections = DEVICES.flatMap((device) => {
    const lines = device.rows.flatMap((row) =>
      kernels.flatMap(({ outcome, rows }) => {
        const judged = rows.find((one) => one.device === device.name && one.row.name === row.name)
        return judged === undefined ? [] : [cells(outcome, judged)]
      }),
    )
    const notes = device.rows.flatMap((row) => notesOn(row))
    if (lines.length === 0) return []
    const text = [`## ${device.name}`, `${upper(device.what)}.`, table(HEAD, lines)]
    if (notes.length > 0) text.push(notes.join('\n'))
    return text
  })
  return `# On real devices

Written by \`${command}\` on ${date.toISOString().slice(0, 10)}, never by hand. Debian's kernels, with the drivers of the
generic ones, in QEMU ${qemu} (\`${qemuArguments.join(' ')}\`, software emulation) on Linux ${host}; Node ${node} in the guests.

Each row does the same three times: by blocking system calls of another process (plain), by node:fs, and by the ring. What the
ring sees must be what the plain calls see, unless the row says why not. "Gap" is the longest gap of the event loop in
milliseconds, beside it that of node:fs in the same row; more than ${LONGEST_GAP} runs three times, and the least counts; more than
${LONGEST_GAP} fails, unless the loop had as long a one while it only waited for the others, or, up to ${LONGEST_BUSY}, its thread slept for
less than ${LONGEST_SLEEP} in any one system call ("asleep", seen by another thread): then the host was busy. Faults are those of issue 10 and its notes.

${table(['kernel', 'Debian', 'rows held', 'failed', 'not there', 'tests beside them', 'seconds'], outcomes.map(kernelCells))}

${sections.join('\n\n')}

## What is not done

${table(
  ['device', 'what', 'why not'],
  NOT_DONE.map(({ device, what, why }) => [device, what, why]),
)}
`
}

const HEAD: Cells = [
  'row',
  'fault',
  'kernel',
  'plain',
  'node:fs',
  'ring',
  'ms',
  'gap',
  'asleep',
  "node:fs's gap",
  'held',
]

function kernelCells(outcome: Outcome): Cells {
  if (!isKernel(outcome)) {
    const { series, why } = outcome
    return [series, `missing: ${why}`, '', '', '', '', '']
  }
  const kernel = outcome
  const rows = judgeRows(kernel)
  const failed = rows.filter(({ problems }) => problems.length > 0).length
  const { passed, failed: failedTests } = testsOn(kernel)
  const stress = kernel.transcript.results.filter(({ name }) => name.includes('stress'))
  const others = [
    ...(passed + failedTests > 0 ? [`contract: ${passed} passed, ${failedTests} failed`] : []),
    ...stress.map((result) => `stress: ${failureOf(result) ?? 'ok'}`),
  ]
  return [
    kernel.transcript.kernel ?? kernel.series,
    kernel.version,
    String(rows.length - failed),
    String(failed),
    kernel.plan.absent.map(({ device, why }) => `${device} (${why})`).join('; '),
    others.join('; '),
    String(Math.round(kernel.seconds)),
  ]
}

function cells({ series }: OnKernel, { row, result, problems }: JudgedRow): Cells {
  const { plain, fs, ring } = result?.ways ?? {}
  return [
    row.name,
    row.fault ?? '',
    series,
    seen(plain),
    seen(fs),
    seen(ring),
    ring === undefined ? '' : String(ring.milliseconds),
    ring === undefined ? '' : String(ring.gap),
    ring === undefined ? '' : String(ring.asleep),
    fs === undefined ? '' : String(fs.gap),
    problems.length === 0 ? 'yes' : `**no**: ${problems.map(firstLine).join('; ')}`,
  ]
}

function seen(pass: Pass | undefined): string {
  if (pass === undefined) return ''
  return Object.entries(pass.observed)
    .map(([what, value]) => `${what}: ${value}`)
    .join('; ')
}

function notesOn({ name, differs = {}, heldBecause }: JudgedRow['row']): string[] {
  const reasons = Object.entries(differs).map(([what, why]) => `- ${name}, ${what}: ${why}.`)
  return [
    ...reasons,
    ...(heldBecause === undefined ? [] : [`- ${name}: the loop is held because ${heldBecause}.`]),
  ]
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? ''
}

function upper(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

function table(head: Cells, rows: readonly Cells[]): string {
  const line = (row: Cells) => `| ${row.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** A row in one line, for the console. */
export function describeRow({ device, row, result, problems }: JudgedRow): string {
  const { ring, fs } = result?.ways ?? {}
  const times =
    ring && `${ring.milliseconds} ms, gap ${ring.gap} (node:fs ${fs?.gap ?? '-'}), asleep ${ring.asleep}`
  const what = [times, ring && seen(ring), problems.length === 0 ? 'ok' : `FAILED: ${problems.join('; ')}`]
  return `${titleOf({ name: device, what: '', rows: [] }, row)}: ${what.filter((part) => part !== undefined).join('; ')}`
}

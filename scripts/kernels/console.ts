/** Reading the guest's reports off its console. */
import { type GuestRecord, MARK, type StepResult } from './job.js'
import { sorted } from '../common/sorted.js'

export interface Transcript {
  kernel: string | undefined
  node: string | undefined
  processor: string | undefined
  /** How many of them ran. */
  processors: number
  results: StepResult[]
  /** Whether the guest reported its own end, and every record before it is here. */
  isWhole: boolean
  /** Whether QEMU, and neither the kernel nor what ran on it, ended the guest. */
  isEmulatorsFault: boolean
  /** Of a guest that did not end well: what it printed last. */
  tail: string
}

/**
 * A kernel patches its own code behind a breakpoint (int3), which it takes away at the end. QEMU 7.2 with a thread for each
 * processor sometimes keeps what it translated meanwhile: all processors trap ever after where memory holds no breakpoint.
 */
const BROKEN_PATCH = /^\[ *\d+\.\d+\] (?:Oops: )?int3: \d+ \[#1\]/m

/** Enough for the trace of a panic. */
const TAIL_LINES = 60

/** Whether the kernel trapped over what QEMU made of its code. */
export function isBroken(output: string): boolean {
  return BROKEN_PATCH.test(output)
}

/** Takes the records of this boot, whatever else was printed between them. */
export function readConsole(output: string, nonce: string): Transcript {
  const records = new Map<number, GuestRecord>()
  const prefix = `${MARK} ${nonce} `
  for (const line of output.split(/\r*\n/)) {
    const start = line.indexOf(prefix)
    const [, number, json] = /^(\d+) (\{.*\})$/.exec(start < 0 ? '' : line.slice(start + prefix.length)) ?? []
    if (number === undefined || json === undefined || records.has(Number(number))) continue
    const record = parse(json)
    if (record !== undefined) records.set(Number(number), record)
  }
  const inOrder = sorted(records, ([one], [other]) => one - other).map(([, record]) => record)
  const begin = inOrder.find((record) => record.type === 'begin')
  const end = inOrder.find((record) => record.type === 'end')
  const results = inOrder.flatMap((record) => (record.type === 'step' ? [record.result] : []))
  const lines = output.split(/\r*\n/).filter((line) => line.trim() !== '' && !line.includes(prefix))
  return {
    kernel: begin?.kernel,
    node: begin?.node,
    processor: begin?.processor,
    processors: begin?.processors ?? 0,
    results,
    isWhole: begin !== undefined && end !== undefined && end.steps === results.length,
    isEmulatorsFault: end === undefined && isBroken(output),
    tail: lines.slice(-TAIL_LINES).join('\n'),
  }
}

/** A line that the kernel wrote into is no record. */
function parse(json: string): GuestRecord | undefined {
  try {
    return JSON.parse(json) as GuestRecord
  } catch {
    return undefined
  }
}

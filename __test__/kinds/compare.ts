/** Compares what the ring did with what the system call did. */
import { sorted } from '../../scripts/common/sorted.js'
import type { Outcome } from './outcome.js'
import { patient } from './patience.js'
import { type Cell, differenceOf, type Field, holdingOf } from './rules.js'

/** A cell's verdict: what differs although it should not, and by which rules it may differ. */
export interface Verdict {
  faults: string[]
  onPurpose: string[]
}

/** The longest that the ring's thread may sleep in one system call; looked at once a millisecond. */
const HELD_MILLISECONDS = patient(10)
/** The longest that the event loop may be late, of three runs. */
const GAP_MILLISECONDS = patient(50)
/** So much later than the call an operation may end. */
const LATER_MILLISECONDS = patient(1000)

const FIELDS: Field[] = ['result', 'data', 'second', 'taken', 'position', 'next']

function isSame({ kind, situation }: Cell, field: Field, call: Outcome, ring: Outcome): boolean {
  if (call[field] === ring[field]) return true
  // Of two readers either is first, and has what there is.
  if (situation.hasRival === true)
    return field !== 'result' || (Number(call.result) > 0 && Number(ring.result) > 0)
  if (kind.isVolatile !== true) return false
  if (field === 'data') return true
  return field === 'result' && Number(call.result) > 0 && Number(ring.result) > 0
}

/** What holds the event loop, or `undefined`. */
export function heldBy({ held, gap, result }: Outcome): string | undefined {
  if (result === 'frozen') return undefined
  if (held >= HELD_MILLISECONDS) return `the thread slept for ${held.toFixed(0)} ms in one system call`
  if (gap >= GAP_MILLISECONDS) return `the event loop was held for ${gap.toFixed(0)} ms`
  return undefined
}

/** `calls` is what may be expected: the system call's outcome, and that of its blocking twin. */
export function compare(cell: Cell, calls: Outcome[], ring: Outcome): Verdict {
  const verdicts = calls.map((call) => compareWith(cell, call, ring))
  const best = sorted(verdicts, (a, b) => a.faults.length - b.faults.length)[0] ?? {
    faults: [],
    onPurpose: [],
  }
  const held = heldBy(ring)
  const holding = holdingOf(cell)
  if (held !== undefined && holding === undefined) best.faults.push(held)
  if (held !== undefined && holding !== undefined) best.onPurpose.push(holding)
  return best
}

function compareWith(cell: Cell, call: Outcome, ring: Outcome): Verdict {
  const verdict: Verdict = { faults: [], onPurpose: [] }
  if (ring.result === 'frozen' || (ring.result === 'never' && call.result !== 'never')) {
    const difference = differenceOf(cell, 'result', call, ring)
    if (difference === undefined) verdict.faults.push(`${ring.result}; the call: ${call.result}`)
    else verdict.onPurpose.push(difference)
    return verdict
  }
  for (const field of FIELDS) {
    if (isSame(cell, field, call, ring)) continue
    const difference = differenceOf(cell, field, call, ring)
    if (difference === undefined) verdict.faults.push(`${field}: ${ring[field]}; the call: ${call[field]}`)
    else if (!verdict.onPurpose.includes(difference)) verdict.onPurpose.push(difference)
  }
  // A server makes everybody wait, for as long as it is given a processor.
  const isTold = cell.kind.isServed !== true && verdict.onPurpose.length === 0
  if (call.didWait !== ring.didWait && isTold) {
    verdict.faults.push(ring.didWait ? 'it waits; the call does not' : 'it does not wait; the call does')
  }
  if (ring.milliseconds > call.milliseconds + LATER_MILLISECONDS) {
    verdict.faults.push(`it ends after ${ring.milliseconds} ms; the call: ${call.milliseconds} ms`)
  }
  return verdict
}

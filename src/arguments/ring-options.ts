/** A ring's options: validated by typanion, with errors that say what would be right. */
import * as t from 'typanion'

import { invalidType, outOfRange } from '../errors.js'

/**
 * How persistent a ring's cancels are. Times are in milliseconds, and may have fractions.
 *
 * @example
 * ```ts
 * const ring = new Ring({ cancel: { stuckAfter: 1000 } })
 * ring.on('stuck', ({ operation, fd }) => console.warn(`${operation} on ${fd} does not end`))
 * ```
 */
export interface CancelOptions {
  /**
   * Whether a cancel is issued again until the operation's final completion (default `true`). `false` is the naive
   * behaviour that loses operations; it exists to demonstrate and to measure that. Each `ring.cancel()` then issues
   * one cancel.
   */
  reissue?: boolean
  /**
   * Milliseconds from the first cancel to the second, 0.01 to a day (default 0.2). A cancel that works completes its
   * operation within 0.02, a lost one never does: 0.2 is ten times the one and imperceptible.
   */
  firstDelay?: number
  /**
   * The longest time between two cancels, in milliseconds, 0.01 to a day and at least `firstDelay` (default 100): the
   * delay doubles up to it. One re-issue is nearly always enough, so this is about operations that the kernel does not
   * let go: 100 wakes an idle program ten times a second.
   */
  maxDelay?: number
  /**
   * Milliseconds after its cancellation was asked for, 1 to a day (default 5000), until an operation that does not end is
   * reported as stuck: longer than slow disks take, shorter than people wait.
   */
  stuckAfter?: number
}

/**
 * The options of {@link Ring}, each with the reason for its default. A key that is not known is an error.
 *
 * @example
 * ```ts
 * const ring = new Ring({ entries: 256, arenaBytes: 64 * 2 ** 20, drainTimeout: 500 })
 * ```
 */
export interface RingOptions {
  /**
   * Entries of the submission queue, 1 to 32768 (default 1024): so many operations go with one system call, which is more than one
   * turn of the event loop settles. They take 64 KiB.
   */
  entries?: number
  /**
   * Entries of the completion queue, 8 to 65536 (default 4096), which bounds the operations in flight: four fewer. At least as
   * many as `entries`. More in flight than that is no faster, and what is above it waits in order; they take 64 KiB.
   */
  completionEntries?: number
  /**
   * Operations that may wait above those in flight, 0 to 8388607 (default 1048576): beyond it a call rejects with
   * `ERR_RING_QUEUE_FULL`. It bounds the memory of a runaway loop to some hundred MiB, and no sane program gets there.
   */
  queueLimit?: number
  /**
   * Bytes of core memory, 65536 to 2 ** 46 (default 1 GiB): what is in flight, and what `ring.alloc()` and reads without a buffer made
   * and is not yet garbage. Beyond it a call rejects with `ERR_RING_ARENA_FULL`. Untouched pages cost nothing, so the
   * default only stops a leak before the machine's memory does; a read or write of more needs a larger one.
   */
  arenaBytes?: number
  /**
   * How long `destroy()` waits for the kernel to let go, from when it is told, in milliseconds, 0 to a day (default 2000): a cancel that works takes 0.02, a busy
   * disk some hundred, and an operator who stops a service does not wait much longer.
   */
  drainTimeout?: number
  /** How persistent cancels are. */
  cancel?: CancelOptions
}

export type ResolvedOptions = Required<Omit<RingOptions, 'cancel'>> & { cancel: Required<CancelOptions> }

/** What a ring has without options. */
export const DEFAULTS: ResolvedOptions = {
  entries: 1024,
  completionEntries: 4096,
  queueLimit: 1 << 20,
  arenaBytes: 2 ** 30,
  drainTimeout: 2000,
  cancel: { reissue: true, firstDelay: 0.2, maxDelay: 100, stuckAfter: 5000 },
}

interface Range {
  least: number
  most: number
  integer: boolean
}

/** The kernel's own limits: IORING_MAX_ENTRIES, and twice that for completions. */
const MAX_ENTRIES = 32_768
/** As many slots as the native table may have for waiting operations. */
const MAX_QUEUE = (1 << 23) - 1
/** A day: longer delays are mistakes. */
const MAX_MILLISECONDS = 86_400_000

const RANGES: Record<string, Range> = {
  entries: { least: 1, most: MAX_ENTRIES, integer: true },
  completionEntries: { least: 8, most: 2 * MAX_ENTRIES, integer: true },
  queueLimit: { least: 0, most: MAX_QUEUE, integer: true },
  arenaBytes: { least: 65_536, most: 2 ** 46, integer: true },
  drainTimeout: { least: 0, most: MAX_MILLISECONDS, integer: false },
  'cancel.firstDelay': { least: 0.01, most: MAX_MILLISECONDS, integer: false },
  'cancel.maxDelay': { least: 0.01, most: MAX_MILLISECONDS, integer: false },
  'cancel.stuckAfter': { least: 1, most: MAX_MILLISECONDS, integer: false },
}

const KNOWN = Object.keys(DEFAULTS)
const KNOWN_CANCEL = Object.keys(DEFAULTS.cancel).map((key) => `cancel.${key}`)

/** Checks a ring's options and fills in the defaults. */
export function resolveOptions(options: unknown): ResolvedOptions {
  if (options === undefined) return DEFAULTS
  const entries = flatten(options)
  for (const [name, value] of entries) checkOption(name, value)
  const chosen = Object.fromEntries(entries.filter(([, value]) => value !== undefined))
  const number = (name: string, fallback: number) => {
    const value = chosen[name]
    return typeof value === 'number' ? value : fallback
  }
  const reissue = chosen['cancel.reissue']
  const { cancel } = DEFAULTS
  const asked = number('entries', DEFAULTS.entries)
  const resolved: ResolvedOptions = {
    entries: asked,
    completionEntries: number('completionEntries', Math.max(DEFAULTS.completionEntries, asked)),
    queueLimit: number('queueLimit', DEFAULTS.queueLimit),
    arenaBytes: number('arenaBytes', DEFAULTS.arenaBytes),
    drainTimeout: number('drainTimeout', DEFAULTS.drainTimeout),
    cancel: {
      reissue: typeof reissue === 'boolean' ? reissue : cancel.reissue,
      firstDelay: number('cancel.firstDelay', cancel.firstDelay),
      maxDelay: number('cancel.maxDelay', cancel.maxDelay),
      stuckAfter: number('cancel.stuckAfter', cancel.stuckAfter),
    },
  }
  checkTogether(resolved, chosen)
  return resolved
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The options with those of `cancel` by their full names. */
function flatten(options: unknown): [string, unknown][] {
  if (!isRecord(options)) throw invalidType('options', 'an object', options)
  const { cancel } = options
  const own = Object.entries(options).filter(([key]) => key !== 'cancel')
  const dotted = own.find(([key]) => key.startsWith('cancel.'))
  if (dotted !== undefined) throw unknownOption(...dotted, KNOWN)
  if (cancel === undefined) return own
  if (!isRecord(cancel)) throw invalidType('options.cancel', 'an object', cancel)
  return [
    ...own,
    ...Object.entries(cancel).map(([key, value]): [string, unknown] => [`cancel.${key}`, value]),
  ]
}

function unknownOption(name: string, value: unknown, known: string[]): Error {
  return invalidType(`options.${name}`, `one of the known options (${known.join(', ')})`, value)
}

function checkOption(name: string, value: unknown): void {
  const known = name.startsWith('cancel.') ? KNOWN_CANCEL : KNOWN
  const full = `options.${name}`
  if (!known.includes(name)) throw unknownOption(name, value, known)
  if (value === undefined) return
  const range = RANGES[name]
  if (range === undefined) {
    if (!t.isBoolean()(value)) throw invalidType(full, 'a boolean', value)
    return
  }
  if (typeof value !== 'number') throw invalidType(full, 'a number', value)
  const { least, most, integer } = range
  const what = integer ? 'an integer' : 'a number'
  const isSane = t.cascade(t.isNumber(), [
    integer ? t.isInteger() : t.isAtLeast(least),
    t.isAtLeast(least),
    t.isAtMost(most),
  ])
  if (!Number.isFinite(value) || !isSane(value)) {
    throw outOfRange(full, `${what} >= ${least} and <= ${most}`, value)
  }
}

function checkTogether(resolved: ResolvedOptions, chosen: Record<string, unknown>): void {
  const { entries, completionEntries, cancel } = resolved
  if (completionEntries < entries) {
    const name = 'completionEntries' in chosen ? 'completionEntries' : 'entries'
    throw outOfRange(
      `options.${name}`,
      `such that completionEntries (${completionEntries}) >= entries (${entries})`,
      chosen[name],
    )
  }
  if (cancel.maxDelay < cancel.firstDelay) {
    const name = 'cancel.maxDelay' in chosen ? 'cancel.maxDelay' : 'cancel.firstDelay'
    throw outOfRange(
      `options.${name}`,
      `such that maxDelay (${cancel.maxDelay}) >= firstDelay (${cancel.firstDelay})`,
      chosen[name],
    )
  }
}

/** What the rows of the lab are made of: the host reads their names, the guest runs them. */
import type { Ring } from 'uring-safe-cancel'

/**
 * The ways in which a row does the same: `plain` is blocking system calls of another process, `fs` is node:fs with its
 * threads, `ring` is the library.
 */
export const WAYS = ['plain', 'fs', 'ring'] as const
export type WayName = (typeof WAYS)[number]

/**
 * Milliseconds: the event loop's longest gap in a row, unless the row says why. A timer of 10 ms on an emulated processor is
 * seen to be late by as much as this beside other work on the host, and never beside a call that waits.
 */
export const LONGEST_GAP = 50
/** Milliseconds in one system call from which on a gap is that call's doing, and not the machine's. */
export const LONGEST_SLEEP = 10
/** Milliseconds: no other work on the host is seen to keep a thread from running for longer. */
export const LONGEST_BUSY = 250

/** What a row saw, by what it calls it: counts, bytes, codes of errors, in words that can be compared. */
export type Observed = Readonly<Record<string, string>>

/** Milliseconds after which an operation of the ring gives up; the other ways know no such thing, and wait. */
export interface Waiting {
  timeout?: number
  signal?: AbortSignal
}

/** One way of making system calls on descriptors of its own. An error is the word for its code. */
export interface Way {
  readonly name: WayName
  open(path: string, flags: number, waiting?: Waiting): Promise<number>
  read(fd: number, length: number, waiting?: Waiting): Promise<Result>
  write(fd: number, bytes: Buffer, waiting?: Waiting): Promise<Result>
  close(fd: number): Promise<string>
  /** Another who does the same beside it: for `plain` another process. */
  another(): Promise<Way>
}

/** The result of a read or write: the count, and what was read; or the name of an error. */
export interface Result {
  count: number
  bytes: Buffer
  error?: string
}

/** What rows work with. */
export interface Lab {
  /** The ring that the way `ring` uses. */
  readonly ring: Ring
  /** Asks the host: see host.ts. */
  host(line: string): Promise<string>
  /** Runs what is measured: its time, and the longest gap of the event loop meanwhile. */
  watch<T>(work: () => Promise<T>): Promise<T>
  /** Runs a script of the shell's to its end. */
  shell(script: string): Promise<string>
  /** Starts another process: its standard input ends with the row. */
  start(program: string, ...args: string[]): Started
  /** Waits until something is so. */
  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>
  /** Loads modules, in that order, those that are not loaded yet. */
  load(modules: readonly string[]): Promise<void>
  /** A blocking process beside the ways: the other end of a device, or whoever uses it too. */
  other(): Promise<Other>
}

export interface Other extends Way {
  /** Waits until it is inside a system call, by its number. */
  isIn(call: number): Promise<void>
}

export interface Started {
  readonly pid: number
  /** Writes to its standard input. */
  send(text: string): void
  /** Waits for a line that it prints. */
  line(): Promise<string>
  /** Ends it and waits for its end; gives what it printed and has not been taken. */
  end(signal?: NodeJS.Signals): Promise<void>
  /** Waits for its end. */
  readonly ended: Promise<number | null>
}

export interface Row {
  /** What happens to the device: unique among its device's rows. */
  name: string
  /** Where the library was seen to do otherwise, as issue 10 and its notes call it. */
  fault?: string
  /** All three, if not said. The first of them is what the ring is compared with. */
  ways?: readonly WayName[]
  run(way: Way, lab: Lab): Promise<Observed>
  /** What the ring must see, beside what the others see: patterns for the whole of a value. */
  right?: Readonly<Record<string, string>>
  /** In what the ring differs on purpose, and why. */
  differs?: Readonly<Record<string, string>>
  /** Why the event loop may be held longer here. */
  heldBecause?: string
  /** What it does to the device cannot be done twice: it runs once, whatever the gap. */
  isOnce?: boolean
}

export interface Device {
  name: string
  /** What it is, and what its other end is. */
  what: string
  rows: readonly Row[]
  /** The only series whose kernels have it. */
  only?: { series: readonly string[]; why: string }
  /** A script that runs before its program. */
  prepare?: string
  /** Descriptors that its program starts with: arguments of the program `descriptors`. */
  descriptors?: readonly string[]
}

/** What came of a row in one way. */
export interface Pass {
  observed: Observed
  milliseconds: number
  /** The event loop's longest gap, of the runs that there were the least. */
  gap: number
  /** The longest that its thread slept in one system call of those runs', other than the loop's own. */
  asleep: number
  runs: number
}

/** A line of the guest's: one row, whole. */
export interface RowResult {
  row: string
  ways: Partial<Record<WayName, Pass>>
}

/** How a row is named everywhere outside its device. */
export function titleOf(device: Device, row: Row): string {
  return `${device.name}: ${row.name}`
}

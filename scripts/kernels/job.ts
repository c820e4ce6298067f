/** What the host asks of a guest, and what the guest reports: they share these types and nothing else. */
import type { Tally } from '../counts.js'

/** How a step's output is read. */
export type Reading = 'cargo' | 'ava' | 'json' | 'json lines'

export interface Step {
  /** Unique in its job. */
  name: string
  command: string
  args: string[]
  env?: Record<string, string>
  reading: Reading
  /** After that it hangs. */
  limitSeconds: number
  /** How many processes compute meanwhile, to no end. */
  load?: number
  /** It runs only if none of these stress steps lost anything. */
  unlessLost?: string[]
}

export interface Job {
  /** Marks the driver's own lines on the console. Nothing that a test prints can have it: it is drawn for each boot. */
  nonce: string
  steps: Step[]
}

/** How a step ended. */
export interface StepResult {
  name: string
  status: number | null
  signal: string | null
  timedOut: boolean
  seconds: number
  /** Not run, because of `unlessLost`. */
  skipped?: true
  tally?: Tally
  /** What it printed, if it is to be read as JSON and is that; of `json lines` an array of those lines that are. */
  json?: unknown
  /** Of what failed: the end of its output. */
  tail?: string
}

/** The driver's lines, in order. */
export type GuestRecord =
  | { type: 'begin'; kernel: string; node: string; processor: string; processors: number }
  | { type: 'step'; result: StepResult }
  | { type: 'end'; steps: number }

/** A line begins with this, the nonce and the number of the record. */
export const MARK = '@uring-kernels'

/** What is measured: a work, and the variants that do it. */
import type { Settings } from './protocol.js'

export type Runtime = 'floor' | 'node' | 'bun' | 'deno'

/** One way to do a work. */
export interface Variant {
  /** By which targets and tables name it. */
  id: string
  /** What the reports call it. */
  name: string
  runtime: Runtime
  settings: Settings
  /** Where it is measured, if not everywhere. */
  concurrency?: readonly number[]
  /** Connected descriptors that it needs. */
  pairs?: { kind: 'pipe' | 'socketpair'; isEchoed: boolean }
  /** Seconds after which a slice hangs, where that is to be expected. */
  patience?: number
}

export interface Work {
  id: string
  title: string
  /** What is counted, and what else is to know. */
  description: string
  /** What `concurrency` counts. */
  unit: 'in flight' | 'workers'
  concurrency: readonly number[]
  variants: readonly Variant[]
  /** The peer that a user would pick: variants are shown as multiples of it. */
  peer: string
  /** Where latencies and the event loop are looked at as well. */
  details: readonly number[]
  /** Whether concurrencies are compared with each other, so that their rounds are interleaved as well. */
  isScaling?: boolean
  /** The only possible number of operations of a slice, where the work gives it. */
  operations?: number
}

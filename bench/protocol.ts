/** What the runner and its variants say to each other: a line of JSON each way, on the variant's stdin and stdout. */

/**
 * What a slice measures. `speed` adds nothing to the work; `latency` takes the time of each operation and watches the
 * garbage collector; `loop` watches the event loop, which it keeps turning.
 */
export type Measure = 'speed' | 'latency' | 'loop'

/** Asks for a slice: so many operations, so many of them in flight. */
export interface SliceRequest {
  concurrency: number
  operations: number
  measure: Measure
}

/** Nanoseconds below which 50, 99 and 99.9 % of the operations took. */
export interface Latencies {
  p50: number
  p99: number
  p999: number
}

/** How the event loop fared, in nanoseconds. */
export interface LoopDelay {
  /** The median and the 99th percentile of turns longer than 50 µs, by their work alone. */
  medianBatch: number
  p99Batch: number
  /** The longest turn of the loop by its work alone: without garbage collection, and without being preempted. */
  longestBatch: number
  /** The longest turn by the clock. */
  longestTurn: number
  /** The longest time between two firings of a timer of one millisecond. */
  longestTimerGap: number
  /** How often that timer fired. */
  timers: number
}

/** Garbage collection in a slice. */
export interface Collections {
  count: number
  nanoseconds: number
}

/** A slice's figures. */
export interface SliceAnswer {
  operations: number
  nanoseconds: number
  /** Microseconds of processor time, of all threads; `null` where the runtime does not tell. */
  cpu: { user: number; system: number } | null
  latencies?: Latencies
  loop?: LoopDelay
  collections?: Collections
}

/** A variant's first line. */
export interface Hello {
  ready: true
  version: string
}

/** The answer of a variant that cannot do it. */
export interface Failure {
  error: string
}

/** What a variant is told on its command line, as JSON. */
export interface Settings {
  work: 'nop' | 'read' | 'write' | 'cancel' | 'ping-pong' | 'echo' | 'workers' | 'current' | 'pipe'
  /** The dist/index.js of another build. */
  library?: string
  /** Which calls it uses. */
  api?: Api
  /** `false`: a ring that trusts one cancel. */
  reissue?: boolean
  /** Where reads and writes have their bytes. */
  memory?: Memory
  path?: string
  /** Bytes of each read. */
  length?: number
  direct?: boolean
  sequential?: boolean
  /** `IOSQE_ASYNC`. */
  async?: boolean
  /** The floor's: registered file and buffers. */
  registered?: boolean
  /** The pipe's: whether its bytes are there before they are asked for. */
  there?: boolean
  /** The pipe's: whether the ring opens it, and need not ask what its number leads to. */
  opened?: boolean
  /** Operations in flight in each worker. */
  lanes?: number
  /** How a read is cancelled. */
  by?: CancelWay
  /** Microseconds, where a timeout cancels. */
  timeout?: number
}

/** `settled` and `pending` are promises without I/O. */
export type Api = 'ring' | 'callback' | 'handle' | 'sync' | 'stream' | 'socket' | 'settled' | 'pending'

/** Memory of `ring.alloc`, a Buffer of the caller's, or what the read makes itself. */
export type Memory = 'core' | 'own' | 'none'

/** `ring.cancel`; a signal for each read or for all; a timeout. The suffix is what `onCancel` says. */
export type CancelWay =
  'handle' | 'own-reject' | 'own-resolve' | 'shared-reject' | 'shared-resolve' | 'timeout'

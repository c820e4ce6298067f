/**
 * Cancel-safe io_uring for Node: every operation settles exactly once, and a cancelled one always settles. Begin with
 * {@link Ring}.
 *
 * @module
 */
export { AbortError, CANCELLED, InvalidStateError, RingError, TimeoutError } from './src/errors.js'
export {
  eventfd,
  type EventfdOptions,
  pipe,
  type PipeEnds,
  type PipeOptions,
  PollEvents,
} from './src/descriptors.js'
export type { StuckOperation } from './src/diagnostics.js'
export type { CancelResult } from './src/operation.js'
export type { CancelOptions, RingOptions } from './src/options.js'
export type { OpenFlags } from './src/paths.js'
export type { FdLike, OperationOptions, ReadOptions, WriteOptions } from './src/requests.js'
export type { ReadResult, ReadVectorResult, Settles, WriteResult, WriteVectorResult } from './src/results.js'
export { Ring, type RingEvents } from './src/ring.js'
export type { CancelAnswers, RingStats } from './src/stats.js'
export type { RingProbe } from './src/support.js'

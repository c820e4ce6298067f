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
} from './src/descriptors/make.js'
export type { StuckOperation } from './src/engine/stuck.js'
export type { CancelResult } from './src/engine/operation.js'
export type { CancelOptions, RingOptions } from './src/arguments/ring-options.js'
export type { OpenFlags } from './src/operations/open.js'
export { PollEvents } from './src/operations/poll.js'
export type { ReadOptions, ReadResult } from './src/operations/read.js'
export type { ReadVectorResult, WriteVectorResult } from './src/operations/vectored.js'
export type { WriteOptions, WriteResult } from './src/operations/write.js'
export type { FdLike } from './src/arguments/descriptor.js'
export type { OperationOptions, Settles } from './src/arguments/options.js'
export { Ring, type RingEvents } from './src/ring.js'
export type { CancelAnswers, RingStats } from './src/native/counters.js'
export type { RingProbe } from './src/native/addon/probe.js'

/** What operations resolve to: FileHandle's shapes. */
import type { CANCELLED } from './errors.js'

/** What a read resolves to: FileHandle's shape. */
export interface ReadResult<T extends NodeJS.ArrayBufferView = Buffer> {
  /** How many bytes came. 0 at the end of a file. */
  bytesRead: number
  /** The buffer that was given, or made. */
  buffer: T
}

/** What a write resolves to: FileHandle's shape. */
export interface WriteResult<T = NodeJS.ArrayBufferView> {
  /** How many bytes went: perhaps fewer than there were, as with write(2). */
  bytesWritten: number
  /** What was given. */
  buffer: T
}

/** What readv resolves to. */
export interface ReadVectorResult<T extends readonly NodeJS.ArrayBufferView[]> {
  /** How many bytes came, in all. */
  bytesRead: number
  /** The buffers that were given. */
  buffers: T
}

/** What writev resolves to. */
export interface WriteVectorResult<T extends readonly NodeJS.ArrayBufferView[]> {
  /** How many bytes went, in all. */
  bytesWritten: number
  /** The buffers that were given. */
  buffers: T
}

/** A result, or {@link CANCELLED} as well where the options ask for that. */
export type Settles<R, O> = O extends { onCancel: 'resolve' } ? R | typeof CANCELLED : R

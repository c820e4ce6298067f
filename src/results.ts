/** What operations resolve to: FileHandle's shapes. */
import type { CANCELLED } from './errors.js'

/**
 * What a read resolves to: FileHandle's shape.
 *
 * @example
 * ```ts
 * const { bytesRead, buffer } = await ring.read(fd)
 * const text = buffer.toString('utf8', 0, bytesRead)
 * ```
 */
export interface ReadResult<T extends NodeJS.ArrayBufferView = Buffer> {
  /** How many bytes came. 0 at the end of a file. */
  bytesRead: number
  /** The buffer that was given, or made. */
  buffer: T
}

/**
 * What a write resolves to: FileHandle's shape.
 *
 * @example
 * ```ts
 * const line = Buffer.from('a line\n')
 * for (let sent = 0; sent < line.length; ) sent += (await ring.write(fd, line.subarray(sent))).bytesWritten
 * ```
 */
export interface WriteResult<T = NodeJS.ArrayBufferView> {
  /** How many bytes went: perhaps fewer than there were, as with write(2). */
  bytesWritten: number
  /** What was given. */
  buffer: T
}

/**
 * What readv resolves to.
 *
 * @example
 * ```ts
 * const { bytesRead, buffers } = await ring.readv(fd, [Buffer.alloc(16), Buffer.alloc(1024)])
 * ```
 */
export interface ReadVectorResult<T extends readonly NodeJS.ArrayBufferView[]> {
  /** How many bytes came, in all. */
  bytesRead: number
  /** The buffers that were given. */
  buffers: T
}

/**
 * What writev resolves to.
 *
 * @example
 * ```ts
 * const { bytesWritten } = await ring.writev(fd, [Buffer.from('head'), Buffer.from('body')])
 * ```
 */
export interface WriteVectorResult<T extends readonly NodeJS.ArrayBufferView[]> {
  /** How many bytes went, in all. */
  bytesWritten: number
  /** The buffers that were given. */
  buffers: T
}

/**
 * A result, or {@link CANCELLED} as well where the options ask for that.
 *
 * @example
 * ```ts
 * const result: Settles<number, { onCancel: 'resolve' }> = CANCELLED
 * ```
 */
export type Settles<R, O> = O extends {
  /** It asks for it. */
  onCancel: 'resolve'
}
  ? R | typeof CANCELLED
  : R

/** What operations resolve to, by their options. */
import type { CANCELLED } from './errors.js'

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

/** Which engine a ring has: the methods of all operations ask, whose files know no ring. */
import type { Engine } from './engine.js'

/**
 * Where a ring carries it. The type of a ring does not have it: the package's declarations would have to show all that an engine
 * is. It is no private field, whose name would be known within one class alone.
 */
const ENGINE: unique symbol = Symbol('uring-safe-cancel.engine')

export function giveEngine(ring: object, engine: Engine): void {
  // Not enumerable: copies of a ring's properties are none of a ring.
  Object.defineProperty(ring, ENGINE, { value: engine })
}

export function engineOf(ring: object & { readonly [ENGINE]?: Engine }): Engine {
  const engine = ring[ENGINE]
  if (engine === undefined) throw new TypeError('The method was called on something that is no Ring')
  return engine
}

/** Which engine a ring has: the methods of all operations ask, whose files know no ring. */
import type { Engine } from './engine.js'

/**
 * Where a ring carries it. No type of the package's tells: its declarations would have to show all that an engine is. And a
 * property rather than a private field, whose name is known within one class alone.
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

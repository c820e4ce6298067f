/** Makes the native side of a ring, or says why there is none. */
import { isMainThread } from 'node:worker_threads'

import type { NativeOptions } from '#binding'

import { hasLibuv, isNode } from './addon/runtime.js'
import { requireBinding, unavailable } from './addon/unavailable.js'
import type { NativeRing } from './native-functions.js'
import { COMPLETION_WORDS, COMPLETIONS, FIRST_COMPLETION, GIVEN_NUMBERS, HEADER_WORDS } from './protocol.js'

/** Words of the array that both sides share. */
const WORDS = FIRST_COMPLETION + COMPLETIONS * COMPLETION_WORDS

/** The functions and the array, as Node-API makes them. */
type Functions = Omit<NativeRing, 'given'>

function isNativeRing(value: object): value is Functions {
  return 'flush' in value
}

/**
 * A copy, whose functions are fields: V8 keeps the object that Node-API fills as a dictionary, in which each call would
 * look its function up by name. The copy holds that object, because the native ring is freed when it is collected.
 */
function withFields(owner: Functions): NativeRing & { owner: Functions } {
  const { words } = owner
  const given = new Float64Array(words.buffer, words.byteOffset + 4 * HEADER_WORDS, GIVEN_NUMBERS)
  return { ...owner, owner, given }
}

/** A ring's options, as programs write them and with all defaults. */
type Options = Omit<NativeOptions, Surroundings | Persistence> & { cancel: Pick<NativeOptions, Persistence> }
type Persistence = 'reissue' | 'firstDelay' | 'maxDelay' | 'stuckAfter'
type Surroundings = 'useUv' | 'isNode' | 'isWorker'

/** Makes a native ring, which fills its `words` and calls `receive` from the event loop. */
export function createNative(options: Options, receive: (count: number) => void): NativeRing {
  const binding = requireBinding()
  const { cancel, ...sizes } = options
  const native = { ...sizes, ...cancel, useUv: hasLibuv(), isNode: isNode(), isWorker: !isMainThread }
  const made = binding.createRing(native, WORDS, receive)
  if (isNativeRing(made)) return withFields(made)
  throw unavailable(made)
}

/** Makes the native side of a ring, or says why there is none. */
import { hasLibuv, loadBinding } from './binding.js'
import { RingError } from './errors.js'
import { GIVEN, HEADER_WORDS, type NativeRing } from './native.js'
import type { ResolvedOptions } from './options.js'

/** The functions, as Node-API makes them. */
type Functions = Omit<NativeRing, 'given'>

function isNativeRing(value: object): value is Functions {
  return 'flush' in value
}

/**
 * A copy, whose functions are fields: V8 keeps the object that Node-API fills as a dictionary, in which each call would
 * look its function up by name. The copy holds that object, because the native ring is freed when it is collected.
 */
function withFields(owner: Functions, words: Int32Array): NativeRing & { owner: Functions } {
  const given = new Float64Array(words.buffer, words.byteOffset + 4 * HEADER_WORDS, GIVEN)
  return { ...owner, owner, given }
}

/** Makes a native ring, which fills `words` and calls `receive` from the event loop. */
export function createNative(
  options: ResolvedOptions,
  words: Int32Array,
  receive: (count: number) => void,
): NativeRing {
  const loaded = loadBinding()
  if ('error' in loaded) {
    throw new RingError('ERR_IO_URING_UNAVAILABLE', loaded.error.message, { cause: loaded.error })
  }
  const { cancel, ...sizes } = options
  const made = loaded.binding.createRing({ ...sizes, ...cancel, useUv: hasLibuv() }, words, receive)
  if (isNativeRing(made)) return withFields(made, words)
  throw unavailable(made)
}

/** The error of a machine that gives no ring: `errno`, `reason` and `remedy` tell the rest. */
function unavailable(failure: object): RingError {
  const { errno, reason, remedy } = { errno: 0, reason: '', remedy: '', ...failure }
  const error = new RingError('ERR_IO_URING_UNAVAILABLE', `io_uring is not available: ${reason}; ${remedy}`)
  return Object.assign(error, { errno, reason, remedy })
}

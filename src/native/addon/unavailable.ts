/** The error of a machine that gives no ring. */
import { RingError } from '../../errors.js'
import { loadBinding, type NativeBinding } from './binding.js'

/** Why there is none, and what to do. The errno is there if it was the kernel that refused. */
interface Failure {
  reason?: string
  remedy?: string
  errno?: number
}

/** Makes it: `reason`, `remedy` and, of the kernel's refusal, `errno` tell more than the message. */
export function unavailable(failure: Failure, options?: ErrorOptions): RingError {
  const { reason = '', remedy = '', errno } = failure
  const message = `io_uring is not available: ${reason}; ${remedy}`
  const error = new RingError('ERR_IO_URING_UNAVAILABLE', message, options)
  return Object.assign(error, { reason, remedy, ...(errno !== undefined && { errno }) })
}

/** The error of a ring of which the kernel takes nothing any more; `errno` is negative, as in Node. */
export function forbidden(errno: number): RingError {
  return unavailable(requireBinding().forbidden(-errno))
}

/**
 * The native functions.
 *
 * @throws RingError if there is no addon for this system
 */
export function requireBinding(): NativeBinding {
  const loaded = loadBinding()
  if ('binding' in loaded) return loaded.binding
  const { message: reason, remedy } = loaded.error
  throw unavailable({ reason, remedy }, { cause: loaded.error })
}

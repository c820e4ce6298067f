/** What this machine offers. Nothing here throws. */
import { release } from 'node:os'

import { loadBinding } from './binding.js'

/**
 * What this machine's io_uring can do, or why there is none. `npx uring-safe-cancel doctor` tells more.
 *
 * @example
 * ```ts
 * const { supported, reason, remedy } = Ring.probe()
 * if (!supported) console.error(`no io_uring: ${reason}; ${remedy}`)
 * ```
 */
export interface RingProbe {
  /** Whether a ring can be made. */
  supported: boolean
  /** The kernel's release, as `uname -r` prints it; `unknown` elsewhere than on Linux. */
  kernel: string
  /** Which operations the kernel knows, by name (by its release, where it may not be asked); empty if not supported. */
  operations: Record<string, boolean>
  /** Which flags of a ring it knows, by name; without them a ring works, a little slower. */
  flags: Record<string, boolean>
  /** If not supported: ENOSYS, EPERM, ENOMEM, EMFILE, EOTHER, or ENOADDON where the addon cannot be loaded. */
  code?: string
  /** If not supported: why. */
  reason?: string
  /** If not supported: what to do. */
  remedy?: string
}

export function probe(): RingProbe {
  const loaded = loadBinding()
  if ('error' in loaded) {
    return {
      supported: false,
      kernel: kernelRelease(),
      operations: {},
      flags: {},
      code: 'ENOADDON',
      reason: loaded.error.message,
      remedy: loaded.error.remedy,
    }
  }
  const { kernel, operations, flags, failure } = loaded.binding.probe()
  const found = { supported: failure === undefined, kernel, operations, flags }
  if (failure === undefined) return found
  const { code, reason, remedy } = failure
  return { ...found, code, reason, remedy }
}

function kernelRelease(): string {
  try {
    return process.platform === 'linux' ? release() : 'unknown'
  } catch {
    // Deno asks for leave to tell it.
    return 'unknown'
  }
}

export function isSupported(): boolean {
  return probe().supported
}

/** By what io_uring is forbidden, and what that was told from. */
import type { RingProbe } from '../../native/addon/probe.js'
import type { Permissions } from './host.js'
import { isBefore, type Version } from './kernels.js'

export type Cause =
  | 'sysctl'
  | 'seccomp'
  | 'security module'
  | 'kernel'
  | 'memory'
  | 'descriptors'
  | 'seccomp or kernel'
  | 'unknown'

/** Why there is no io_uring. */
export interface Refusal {
  /** ENOSYS, EPERM, ENOMEM, EMFILE or EOTHER. */
  code: string
  by: Cause
  /** What the kernel answered. */
  reason: string
  /** What the cause was told from. */
  evidence: string
  /** What to do. */
  remedy: string
}

/** The kernel that brought io_uring. */
const FIRST: Version = [5, 1]

export function refusalOf(
  { code = 'EOTHER', reason = '', remedy = '' }: RingProbe,
  permissions: Permissions,
  version: Version | undefined,
): Refusal {
  return { code, reason, remedy, ...causeOf(code, permissions, version) }
}

/** What is told of a refusal, beside what the library says of its code, or instead of it. */
type Told = Pick<Refusal, 'by' | 'evidence'> & Partial<Refusal>

function causeOf(
  code: string,
  { ioUringDisabled: disabled, seccompFilter }: Permissions,
  version: Version | undefined,
): Told {
  switch (code) {
    case 'EPERM':
      return forbidden(disabled, seccompFilter)
    case 'ENOSYS':
      return absent(disabled, seccompFilter, version)
    case 'ENOMEM':
      return { by: 'memory', evidence: 'not even the smallest ring fits into the limits of memory' }
    case 'EMFILE':
      return { by: 'descriptors', evidence: 'this process, or the machine, has no descriptor left' }
    default:
      return { by: 'unknown', evidence: 'no rule of this program fits' }
  }
}

const A_FILTER = 'a seccomp filter is on this process, as containers put it there'
const ALLOW =
  'allow io_uring_setup, io_uring_enter and io_uring_register in the filter (for Docker: --security-opt seccomp=PROFILE)'

function forbidden(disabled = 0, seccompFilter?: boolean): Told {
  if (disabled > 0) return { by: 'sysctl', evidence: `kernel.io_uring_disabled is ${disabled}` }
  if (seccompFilter === undefined) return { by: 'unknown', evidence: '/proc/self/status cannot be read' }
  if (seccompFilter) return { by: 'seccomp', evidence: A_FILTER, remedy: ALLOW }
  return {
    by: 'security module',
    evidence: 'no sysctl forbids it and no seccomp filter is on this process: SELinux, AppArmor or the like',
  }
}

function absent(
  disabled: number | undefined,
  seccompFilter: boolean | undefined,
  version: Version | undefined,
): Told {
  if (version !== undefined && isBefore(version, FIRST)) {
    return { by: 'kernel', evidence: `io_uring came with Linux ${FIRST.join('.')}` }
  }
  // Only a kernel with io_uring has the sysctl.
  if (disabled !== undefined && seccompFilter === true) {
    const reason = 'io_uring_setup answers ENOSYS, although this kernel has io_uring'
    return { by: 'seccomp', evidence: A_FILTER, reason, remedy: ALLOW }
  }
  if (seccompFilter === true) {
    return {
      by: 'seccomp or kernel',
      evidence: `${A_FILTER}; or the kernel was built without CONFIG_IO_URING`,
    }
  }
  return { by: 'kernel', evidence: 'it was built without CONFIG_IO_URING, or an emulator answers for it' }
}

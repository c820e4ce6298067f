/** What the doctor finds, as one document. */
import { release, version as build } from 'node:os'

import { probe } from '../../native/addon/probe.js'
import { type Runtime, runtimeOf } from '../../native/addon/runtime.js'
import { type Addon, examineAddon } from './addon.js'
import { type Refusal, refusalOf } from './cause.js'
import { type Limit, limit, loadedObjects, mayLockAnything, type Permissions, permissions } from './host.js'
import {
  countsLockedMemory,
  type Fallback,
  fallbacksOf,
  faultsOf,
  type KernelFault,
  parseRelease,
  standing,
} from './kernels.js'
import { type LostCancels, lostCancelFault, lostCancelsOf } from './mends.js'
import { type Trial, tryRing } from './trial.js'

/** Exit statuses of `uring-safe-cancel doctor`. */
export const Exit = { WORKS: 0, FAILED: 1, UNSUPPORTED: 2, NO_ADDON: 3 } as const

/** What `--json` prints. What does not apply, or cannot be told, is left out. */
export interface Examination {
  /** The package's version. */
  version: string
  /** Whether io_uring works here. */
  ok: boolean
  /** The exit status. */
  status: (typeof Exit)[keyof typeof Exit]
  runtime: Runtime & { platform: string; architecture: string; libc?: 'glibc' | 'musl' }
  kernel: { release: string; series?: string; standing?: 'old' | 'tested' | 'untested' }
  addon: Addon
  permissions: Permissions
  /** Why there is no io_uring. */
  refusal?: Refusal
  /** Whether the kernel knows each operation, and each flag, that the library uses. */
  operations?: Record<string, boolean>
  flags?: Record<string, boolean>
  /** What rings do without. */
  fallbacks?: Fallback[]
  /** `counts`: whether this kernel counts rings against it. `exempt`: this process is above it. */
  lockedMemory?: Partial<Limit> & { counts?: boolean; exempt?: boolean }
  openFiles?: Limit
  trial?: Trial
  /** Whether this kernel still loses cancels. */
  lostCancels?: LostCancels
  /** Known faults of this kernel. */
  faults: KernelFault[]
}

/** Never rejects. */
export async function examine(version: string): Promise<Examination> {
  const addon = examineAddon()
  const found = probe()
  const kernelVersion = process.platform === 'linux' ? parseRelease(release()) : undefined
  const lostCancels = kernelVersion && lostCancelsOf(release(), build())
  const rights = permissions()
  const examination: Examination = {
    version,
    ok: false,
    status: Exit.NO_ADDON,
    runtime: runtime(),
    kernel: {
      release: release(),
      ...(kernelVersion && { series: kernelVersion.join('.'), standing: standing(kernelVersion) }),
    },
    addon,
    permissions: rights,
    ...limits(kernelVersion),
    ...(lostCancels && { lostCancels }),
    faults: [
      ...(lostCancels ? lostCancelFault(lostCancels.mended) : []),
      ...(kernelVersion ? faultsOf(kernelVersion) : []),
    ],
  }
  if (!addon.loaded) return examination
  if (!found.supported) {
    return { ...examination, status: Exit.UNSUPPORTED, refusal: refusalOf(found, rights, kernelVersion) }
  }
  const { operations, flags } = found
  const { soft, counts = false, exempt = false } = examination.lockedMemory ?? {}
  const trial = await tryRing({ isLimited: typeof soft === 'number' && counts && !exempt })
  const status = trial.ok ? Exit.WORKS : Exit.FAILED
  return {
    ...examination,
    ok: trial.ok,
    status,
    operations,
    flags,
    fallbacks: fallbacksOf(flags),
    trial,
  }
}

function runtime(): Examination['runtime'] {
  const { platform, arch: architecture } = process
  const library = libc()
  return { ...runtimeOf(), platform, architecture, ...(library && { libc: library }) }
}

function libc(): 'glibc' | 'musl' | undefined {
  if (loadedObjects(/\/(ld-musl-|libc\.musl-)[^/]*$/).length > 0) return 'musl'
  return loadedObjects(/\/(libc\.so\.6|libc-[\d.]+\.so)$/).length > 0 ? 'glibc' : undefined
}

function limits(version: ReturnType<typeof parseRelease>): Pick<Examination, 'lockedMemory' | 'openFiles'> {
  const [memory, files] = [limit('Max locked memory'), limit('Max open files')]
  const exempt = mayLockAnything()
  return {
    ...(memory && {
      lockedMemory: {
        ...memory,
        ...(version && { counts: countsLockedMemory(version) }),
        ...(exempt !== undefined && { exempt }),
      },
    }),
    ...(files && { openFiles: files }),
  }
}

/** The kernels that are booted, and where they are to be had. */
import type { GoModule } from '../common/go-module.js'
import type { Architecture } from './architecture.js'

interface Named {
  /** The first numbers of the version; all that begin so belong to it. */
  name: string
}

export interface DebianSeries extends Named {
  /** Debian's suites that may hold it. A suite named `…-security` is on the security mirror. */
  suites: readonly string[]
}

/** One that Debian never had: one kernel of it, with all that the guest needs built in. */
export interface ModuleSeries extends Named {
  module: GoModule
  /** The kernel's version: the module's own says nothing of it. */
  version: string
  architecture: Architecture['name']
}

export type Series = DebianSeries | ModuleSeries

/**
 * From the oldest kernel that the library supports. Ubuntu 24.04 has 6.8, and keeps it for years, and it is the last one
 * whose workers spin; Ubuntu's own packages no apt of Debian gives.
 */
export const SERIES: readonly Series[] = [
  { name: '5.10', suites: ['bullseye', 'bullseye-security'] },
  { name: '6.1', suites: ['bookworm', 'bookworm-security'] },
  {
    name: '6.8',
    version: '6.8.9',
    architecture: 'x64',
    module: {
      module: 'github.com/tailscale/gokrazy-kernel',
      version: 'v0.0.0-20240728225134-3d23beabda2e',
      sum: 'h1:tyUUgeRPGHjCZWycRnhdx8Lx9DRkjl3WsVUxYMrVBOw=',
    },
  },
  { name: '6.12', suites: ['trixie', 'trixie-security'] },
  { name: '6.18', suites: ['trixie-backports'] },
  { name: '7', suites: ['trixie-backports'] },
]

/** Where the libraries and the shell of the guest come from: new enough for what any supported Debian builds. */
export const LIBRARY_SUITES: readonly string[] = ['trixie', 'trixie-security']

/** What Node, the addon and the tests are linked to (libatomic1: Node from 26 on). */
export const LIBRARY_PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1', 'busybox-static'] as const

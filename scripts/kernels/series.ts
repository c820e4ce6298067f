/** The kernels that are booted, and where Debian keeps them. */

export interface Series {
  /** The first numbers of the version; all that begin so belong to it. */
  name: string
  /** Debian's suites that may hold it. A suite named `…-security` is on the security mirror. */
  suites: readonly string[]
}

/** From the oldest kernel that the library supports; only the first and the last are without a support of many years. */
export const SERIES: readonly Series[] = [
  { name: '5.10', suites: ['bullseye', 'bullseye-security'] },
  { name: '6.1', suites: ['bookworm', 'bookworm-security'] },
  { name: '6.12', suites: ['trixie', 'trixie-security'] },
  { name: '6.18', suites: ['trixie-backports'] },
  { name: '7', suites: ['trixie-backports'] },
]

/** Where the libraries and the shell of the guest come from: new enough for what any supported Debian builds. */
export const LIBRARY_SUITES: readonly string[] = ['trixie', 'trixie-security']

/** What Node, the addon and the tests are linked to (libatomic1: Node from 26 on). */
export const LIBRARY_PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1', 'busybox-static'] as const

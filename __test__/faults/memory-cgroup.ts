/** A control group with a limit of memory, of either version of the kernel's interface. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { ExecutionContext } from 'ava'

import { until } from '../helpers.js'

const ROOT = '/sys/fs/cgroup'

export interface MemoryGroup {
  /** Runs what follows it in the group. */
  launcher: string[]
  /** How many processes of it the kernel has killed for want of memory. */
  killed: () => number
}

/** Makes one that goes with the test. It takes root, and a mounted controller. */
export function memoryGroup(t: ExecutionContext, bytes: number): MemoryGroup {
  const name = `uring-safe-cancel-${process.pid}-${performance.now().toFixed(0)}`
  const isUnified = existsSync(join(ROOT, 'cgroup.controllers'))
  const directory = join(ROOT, isUnified ? name : join('memory', name))
  try {
    if (isUnified) writeFileSync(join(ROOT, 'cgroup.subtree_control'), '+memory')
    mkdirSync(directory)
    writeFileSync(join(directory, isUnified ? 'memory.max' : 'memory.limit_in_bytes'), String(bytes))
    // Where there is no swap there is no such limit.
    const swap = join(directory, isUnified ? 'memory.swap.max' : 'memory.memsw.limit_in_bytes')
    if (existsSync(swap)) writeFileSync(swap, isUnified ? '0' : String(bytes))
  } catch (error) {
    throw new Error(`no control group for memory could be made: run this as root, with ${ROOT} mounted`, {
      cause: error,
    })
  }
  // Busy until the last of its processes is gone for good: one that hangs in the kernel would be seen here.
  t.teardown(() =>
    until(() => {
      try {
        rmdirSync(directory)
        return true
      } catch {
        return false
      }
    }, 'the control group is empty'),
  )
  const events = join(directory, isUnified ? 'memory.events' : 'memory.oom_control')
  return {
    launcher: ['sh', '-c', `echo $$ > ${join(directory, 'cgroup.procs')} && exec "$@"`, 'sh'],
    killed: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(events, 'utf8'))?.[1]),
  }
}

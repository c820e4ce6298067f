/** Devices, and files of /proc and /sys, that are on every machine. */
import { constants } from 'node:fs'

import type { Calls } from '../calls.js'
import type { Kind, Made } from '../kind.js'
import { bothWays, drain, kind, O_NONBLOCK, openFile } from './tools.js'

const { O_RDWR, O_RDONLY } = constants
const SEEK_END = 2
/** The log takes no long ones. */
const LINE_BYTES = 64

async function device(world: Calls, path: string, flags: number): Promise<Made> {
  const fd = await openFile(world, path, flags)
  return { reader: fd, writer: fd, path }
}

function simple(name: string, path: string, more: Partial<Kind> = {}): Kind[] {
  return bothWays({
    name,
    waits: [],
    isSeekable: true,
    openFlags: O_RDWR,
    ...more,
    make: (world, _places, isNonblocking) => device(world, path, O_RDWR | (isNonblocking ? O_NONBLOCK : 0)),
  })
}

/** The log from its end: it has what comes, and that may come from anybody. */
async function kmsg(world: Calls, isNonblocking: boolean): Promise<Made> {
  const fd = await openFile(world, '/dev/kmsg', O_RDWR | (isNonblocking ? O_NONBLOCK : 0))
  await world.must('lseek', fd, 0, SEEK_END)
  return {
    reader: fd,
    writer: fd,
    path: '/dev/kmsg',
    give: async (bytes) => {
      const line = Buffer.from(`kinds ${'m'.repeat(Math.min(bytes, LINE_BYTES))}\n`)
      // Of one open file it takes few lines at a time.
      const another = await openFile(world, '/dev/kmsg', constants.O_WRONLY)
      await world.must('write', another, `i:${line.toString('hex')}`, line.length)
      await world.must('close', another)
    },
    next: async () => ((await drain(world, fd)) === '-' ? '-' : 'lines'),
  }
}

const READ_ONLY = { waits: [], moves: ['in'], isSeekable: true, openFlags: O_RDONLY } as const

function readOnly(name: string, path: string, isVolatile = false): Kind {
  return kind({ name, ...READ_ONLY, isVolatile, length: 64, make: (world) => device(world, path, O_RDONLY) })
}

export const DEVICES: Kind[] = [
  ...simple('/dev/null', '/dev/null'),
  ...simple('/dev/zero', '/dev/zero'),
  ...simple('/dev/full', '/dev/full'),
  ...simple('/dev/urandom', '/dev/urandom', { isVolatile: true }),
  ...bothWays({
    name: '/dev/kmsg',
    shares: 'the log',
    waits: ['in'],
    length: 4096,
    payload: Buffer.from('kinds: a line of a test\n').toString('hex'),
    isVolatile: true,
    openFlags: O_RDWR,
    make: (world, _places, isNonblocking) => kmsg(world, isNonblocking),
  }),
  readOnly('/proc/version', '/proc/version'),
  readOnly('/proc/1/mounts, which can be polled', '/proc/1/mounts', true),
  readOnly('/proc/sys/kernel/hostname, which can be polled', '/proc/sys/kernel/hostname'),
  readOnly('/sys/devices/system/cpu/online, which can be polled', '/sys/devices/system/cpu/online'),
]

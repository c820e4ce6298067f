/** Descriptors of events: what is read is what happened. */
import { constants } from 'node:fs'
import { join } from 'node:path'

import { SIGNALFD_SIGNAL } from '../actors.js'
import type { Calls } from '../calls.js'
import type { Kind, Made } from '../kind.js'
import { AT_FDCWD, pathWord } from '../operations.js'
import { bothWays, drain, O_NONBLOCK, openFile } from './tools.js'

const EFD_SEMAPHORE = 1
const IN_CREATE = 0x100
const [FAN_CLASS_NOTIF, FAN_MARK_ADD, FAN_OPEN] = [0, 1, 0x20]
const [SIG_BLOCK, SIGNAL_SET_BYTES] = [0, 8]
const [EPOLL_CTL_ADD, EPOLLIN] = [1, 1]
const CLOCK_MONOTONIC = 1
const EIGHT_ZEROS = '00'.repeat(8)

function eight(value: bigint): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes.toString('hex')
}

function flagsOf(isNonblocking: boolean): number {
  return isNonblocking ? O_NONBLOCK : 0
}

async function eventfd(world: Calls, flags: number, given = 5n): Promise<Made> {
  const fd = await world.must('eventfd2', 0, flags)
  return {
    reader: fd,
    writer: fd,
    give: async () => void (await world.must('write', fd, `i:${eight(given)}`, 8)),
    fill: () => world.must('write', fd, `i:${eight(0xffff_ffff_ffff_fffen)}`, 8),
    take: () => drain(world, fd, false, 8),
    next: () => drain(world, fd, false, 8),
  }
}

async function timerfd(world: Calls, isNonblocking: boolean): Promise<Made> {
  const fd = await world.must('timerfd_create', CLOCK_MONOTONIC, flagsOf(isNonblocking))
  // An interval of none, and a nanosecond.
  const soon = `i:${EIGHT_ZEROS}${EIGHT_ZEROS}${EIGHT_ZEROS}${eight(1n)}`
  return {
    reader: fd,
    writer: fd,
    give: async () => void (await world.must('timerfd_settime', fd, 0, soon, 0)),
    next: () => drain(world, fd, false, 8),
  }
}

async function signalfd(world: Calls, isNonblocking: boolean): Promise<Made> {
  const set = `i:${eight(1n << BigInt(SIGNALFD_SIGNAL - 1))}`
  await world.must('rt_sigprocmask', SIG_BLOCK, set, 0, SIGNAL_SET_BYTES)
  const fd = await world.must('signalfd4', -1, set, SIGNAL_SET_BYTES, flagsOf(isNonblocking))
  return {
    reader: fd,
    writer: fd,
    // It is read by whom it was sent to.
    give: async (_bytes, actor) => void (await world.must('tgkill', actor, actor, SIGNALFD_SIGNAL)),
    next: () => Promise.resolve('-'),
  }
}

async function inotify(world: Calls, scratch: string, isNonblocking: boolean): Promise<Made> {
  const fd = await world.must('inotify_init1', flagsOf(isNonblocking))
  // Others make files, too.
  const directory = join(scratch, `watched-${world.pid}`)
  await world.must('mkdirat', AT_FDCWD, pathWord(directory), 0o700)
  let files = 0
  await world.must('inotify_add_watch', fd, pathWord(directory), IN_CREATE)
  return {
    reader: fd,
    writer: fd,
    files: [directory],
    give: async () => {
      files += 1
      const path = join(directory, String(files))
      await world.must('mknodat', AT_FDCWD, pathWord(path), constants.S_IFREG | 0o600, 0)
    },
    next: async () => ((await drain(world, fd)) === '-' ? '-' : 'events'),
  }
}

async function fanotify(world: Calls, scratch: string, isNonblocking: boolean): Promise<Made> {
  const fd = await world.must('fanotify_init', FAN_CLASS_NOTIF | (isNonblocking ? 2 : 0), constants.O_RDONLY)
  const path = join(scratch, `looked-at-${world.pid}`)
  await world.must('mknodat', AT_FDCWD, pathWord(path), constants.S_IFREG | 0o600, 0)
  await world.must('fanotify_mark', fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, pathWord(path))
  return {
    reader: fd,
    writer: fd,
    files: [path],
    give: async () => void (await world.must('close', await openFile(world, path, constants.O_RDONLY))),
    next: async () => ((await drain(world, fd)) === '-' ? '-' : 'events'),
  }
}

/** A child that ends when it is told to. */
async function pidfd(world: Calls): Promise<Made> {
  const { result: child } = await world.ask('fork', 6)
  const fd = await world.must('pidfd_open', child, 0)
  return {
    reader: fd,
    writer: fd,
    give: async () => {
      await world.must('kill', child, 9)
    },
    next: () => Promise.resolve('-'),
  }
}

async function epoll(world: Calls): Promise<Made> {
  const fd = await world.must('epoll_create1', 0)
  const event = await world.must('eventfd2', 0, 0)
  // The event's mask, and its data: 12 bytes on x64, 16 on arm64.
  const mask = Buffer.alloc(16)
  mask.writeUInt32LE(EPOLLIN)
  await world.must('epoll_ctl', fd, EPOLL_CTL_ADD, event, `i:${mask.toString('hex')}`)
  return {
    reader: fd,
    writer: fd,
    give: async () => void (await world.must('write', event, `i:${eight(1n)}`, 8)),
    next: () => Promise.resolve('-'),
  }
}

export const EVENTS: Kind[] = [
  ...bothWays({
    name: 'eventfd',
    waits: ['in', 'out'],
    length: 8,
    payload: eight(3n),
    make: (world, _places, isNonblocking) => eventfd(world, flagsOf(isNonblocking)),
  }),
  ...bothWays({
    name: 'eventfd, semaphore',
    waits: ['in', 'out'],
    length: 8,
    payload: eight(3n),
    make: (world, _places, isNonblocking) =>
      // A read takes one of them: no more are given, so that nothing is left.
      eventfd(world, EFD_SEMAPHORE | flagsOf(isNonblocking), 1n),
  }),
  ...bothWays({
    name: 'timerfd',
    waits: ['in'],
    moves: ['in'],
    length: 8,
    make: (world, _places, isNonblocking) => timerfd(world, isNonblocking),
  }),
  ...bothWays({
    name: 'signalfd',
    waits: ['in'],
    moves: ['in'],
    length: 128,
    isVolatile: true,
    blockSignal: SIGNALFD_SIGNAL,
    make: (world, _places, isNonblocking) => signalfd(world, isNonblocking),
  }),
  ...bothWays({
    name: 'inotify',
    waits: ['in'],
    moves: ['in'],
    length: 4096,
    isVolatile: true,
    make: (world, { scratch }, isNonblocking) => inotify(world, scratch, isNonblocking),
  }),
  ...bothWays({
    name: 'fanotify',
    waits: ['in'],
    moves: ['in'],
    length: 4096,
    isVolatile: true,
    make: (world, { scratch }, isNonblocking) => fanotify(world, scratch, isNonblocking),
  }),
  ...bothWays({ name: 'pidfd', waits: [], polls: ['in'], moves: [], make: (world) => pidfd(world) }).slice(
    0,
    1,
  ),
  ...bothWays({ name: 'epoll', waits: [], polls: ['in'], moves: [], make: (world) => epoll(world) }).slice(
    0,
    1,
  ),
]

/** Both sides of pseudo-terminals. */
import { constants } from 'node:fs'

import type { Calls } from '../calls.js'
import type { Kind, Made, Session } from '../kind.js'
import { bothWays, drain, fill, kind, openFile, setNonblocking } from './tools.js'

/** As in asm-generic/ioctls.h, which x64 and arm64 have. */
const [TCGETS, TCSETS, TIOCSPTLCK, TIOCGPTN] = [0x5401, 0x5402, 0x40045431, 0x80045430]
/** Where the characters of control lie in the kernel's struct termios, and which they are. */
const [OUTPUT_FLAGS, LOCAL_FLAGS, CONTROLS, VTIME, VMIN] = [4, 12, 17, 5, 6]
const TERMIOS_BYTES = 36
const ECHO = 8

export interface Line {
  /** What bytes a read waits for, and how long after the first (tenths of a second). None: a line, as a shell has it. */
  raw?: { minimum: number; tenths: number }
  /** What else it does to who uses it. */
  localFlags?: number
}

export async function terminal(
  world: Calls,
  { raw, localFlags = 0 }: Line,
): Promise<{ master: number; slave: number; path: string }> {
  const master = await openFile(world, '/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY)
  await world.must('ioctl', master, TIOCSPTLCK, 'i:00000000')
  const { outs } = await world.mustAnswer('ioctl', master, TIOCGPTN, 'x:00000000')
  const path = `/dev/pts/${Buffer.from(outs[0] ?? '', 'hex').readInt32LE(0)}`
  const slave = await openFile(world, path, constants.O_RDWR | constants.O_NOCTTY)
  const { outs: modes } = await world.mustAnswer('ioctl', slave, TCGETS, `x:${'00'.repeat(TERMIOS_BYTES)}`)
  const termios = Buffer.from(modes[0] ?? '', 'hex')
  // Nothing becomes of what is written but what was written: no carriage returns.
  termios.writeUInt32LE(0, OUTPUT_FLAGS)
  if (raw === undefined) {
    // What is echoed would be among what was written.
    termios.writeUInt32LE((termios.readUInt32LE(LOCAL_FLAGS) & ~ECHO) | localFlags, LOCAL_FLAGS)
  } else {
    termios.writeUInt32LE(0, 0)
    termios.writeUInt32LE(0, LOCAL_FLAGS)
    termios[CONTROLS + VMIN] = raw.minimum
    termios[CONTROLS + VTIME] = raw.tenths
  }
  await world.must('ioctl', slave, TCSETS, `i:${termios.toString('hex')}`)
  return { master, slave, path }
}

/** The bytes that the other side gives: the last one ends a line. */
async function giveLine(world: Calls, fd: number, bytes: number): Promise<void> {
  const line = Buffer.alloc(bytes, 'l')
  line[bytes - 1] = 10
  await world.must('write', fd, `i:${line.toString('hex')}`, bytes)
}

async function slaveOf(world: Calls, line: Line, isNonblocking: boolean): Promise<Made> {
  const { master, slave, path } = await terminal(world, line)
  await setNonblocking(world, slave, isNonblocking)
  return { ...sides(world, slave, master), path }
}

async function masterOf(world: Calls, line: Line, isNonblocking: boolean): Promise<Made> {
  const { master, slave } = await terminal(world, line)
  await setNonblocking(world, master, isNonblocking)
  const { fill: fillIt, ...rest } = sides(world, master, slave)
  // A line that is too long is dropped, so that there is always room.
  const filling = line.raw === undefined || fillIt === undefined ? {} : { fill: fillIt }
  return { ...rest, ...filling, path: '/dev/ptmx' }
}

function sides(world: Calls, ours: number, theirs: number): Made {
  return {
    reader: ours,
    writer: ours,
    give: (bytes) => giveLine(world, theirs, bytes),
    fill: () => fill(world, ours, 256),
    take: () => drain(world, theirs),
    next: () => drain(world, ours),
    hangUp: async () => void (await world.must('close', theirs)),
  }
}

const OPEN_FLAGS = constants.O_RDWR | constants.O_NOCTTY

function slaveKind(name: string, line: Line, more: Partial<Kind> = {}): Kind[] {
  return bothWays({
    name: `pty slave, ${name}`,
    hasPeer: true,
    hangsUp: true,
    waits: ['in', 'out'],
    openFlags: OPEN_FLAGS,
    ...more,
    make: (world, _places, isNonblocking) => slaveOf(world, line, isNonblocking),
  })
}

const [TIOCSCTTY, TIOCSPGRP] = [0x540e, 0x5410]
const [SIGHUP, SIGTTIN, SIGTTOU, SIGCONT] = [1, 21, 22, 18]
const TOSTOP = 0o400

function number(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return `i:${bytes.toString('hex')}`
}

/** The terminal of a session of which the world is the leader. */
async function controlling(world: Calls, stopsWriters: boolean): Promise<Made> {
  await world.must('setsid')
  // Whom the hang-up ends would not be there to look at what is left.
  await world.ask('ignore', SIGHUP)
  const { master, slave } = await terminal(world, stopsWriters ? { localFlags: TOSTOP } : {})
  await world.must('ioctl', slave, TIOCSCTTY, 0)
  const made = sides(world, slave, master)
  const bringForward = async (group: number) => {
    // Who is in the background may not, unless it ignores what it gets for it.
    await world.ask('ignore', SIGTTOU)
    await world.call('ioctl', slave, TIOCSPGRP, number(group))
    await world.ask('default', SIGTTOU)
  }
  return {
    ...made,
    resume: async (actor) => {
      await bringForward(actor)
      await world.must('kill', actor, SIGCONT)
    },
    next: async () => {
      await bringForward(world.pid)
      return drain(world, slave)
    },
  }
}

function stdinKind(name: string, session: Session, more: Partial<Kind> = {}, stopsWriters = false): Kind {
  return kind({
    name: `stdin, a terminal, ${name}`,
    waits: ['in', 'out'],
    session,
    ...more,
    make: async (world) => {
      const made = await controlling(world, stopsWriters)
      const stops = session.where === 'background' && session.ignores?.includes(SIGTTIN) !== true
      if (stops) return made
      const { resume: _nobodyStops, ...rest } = made
      return rest
    },
  })
}

const STDIN: Kind[] = [
  stdinKind('foreground', { where: 'foreground' }, { hasPeer: true, hangsUp: true }),
  stdinKind(
    'foreground, beside process.stdin',
    { where: 'foreground', besideStdin: true },
    { hasPeer: true, hangsUp: true },
  ),
  stdinKind('background', { where: 'background' }),
  stdinKind('background, SIGTTIN ignored', { where: 'background', ignores: [SIGTTIN] }, { waits: ['out'] }),
  stdinKind('background, TOSTOP', { where: 'background' }, {}, true),
  stdinKind('background, TOSTOP, SIGTTOU ignored', { where: 'background', ignores: [SIGTTOU] }, {}, true),
  stdinKind('orphaned', { where: 'orphaned' }, { waits: ['out'] }),
]

export const TERMINALS: Kind[] = [
  ...STDIN,
  ...slaveKind('raw', { raw: { minimum: 1, tenths: 0 } }),
  ...slaveKind('cooked', {}),
  ...slaveKind('VMIN 4', { raw: { minimum: 4, tenths: 0 } }, { few: 2 }),
  ...slaveKind('VMIN 4, VTIME 2', { raw: { minimum: 4, tenths: 2 } }, { few: 2, fewEnds: true }),
  ...slaveKind(
    'VMIN 0, VTIME 2',
    { raw: { minimum: 0, tenths: 2 } },
    { waits: ['out'], polls: ['in', 'out'] },
  ),
  ...bothWays({
    name: 'pty master, raw',
    hasPeer: true,
    hangsUp: true,
    writesOutlivePeer: true,
    waits: ['in', 'out'],
    openFlags: OPEN_FLAGS,
    make: (world, _places, isNonblocking) =>
      masterOf(world, { raw: { minimum: 1, tenths: 0 } }, isNonblocking),
  }),
  ...bothWays({
    name: 'pty master, cooked',
    hasPeer: true,
    hangsUp: true,
    writesOutlivePeer: true,
    waits: ['in'],
    openFlags: OPEN_FLAGS,
    make: (world, _places, isNonblocking) => masterOf(world, {}, isNonblocking),
  }),
]

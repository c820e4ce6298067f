/** Both sides of pseudo-terminals. */
import { constants } from 'node:fs'

import type { Calls } from '../calls.js'
import type { Kind, Made } from '../kind.js'
import { bothWays, drain, fill, openFile, setNonblocking } from './tools.js'

/** As in asm-generic/ioctls.h, which x64 and arm64 have. */
const [TCGETS, TCSETS, TIOCSPTLCK, TIOCGPTN] = [0x5401, 0x5402, 0x40045431, 0x80045430]
/** Where the characters of control lie in the kernel's struct termios, and which they are. */
const [OUTPUT_FLAGS, LOCAL_FLAGS, CONTROLS, VTIME, VMIN] = [4, 12, 17, 5, 6]
const TERMIOS_BYTES = 36
const ECHO = 8

export interface Line {
  /** What bytes a read waits for, and how long after the first (tenths of a second). None: a line, as a shell has it. */
  raw?: { minimum: number; tenths: number }
}

export async function terminal(
  world: Calls,
  { raw }: Line,
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
    termios.writeUInt32LE(termios.readUInt32LE(LOCAL_FLAGS) & ~ECHO, LOCAL_FLAGS)
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

export const TERMINALS: Kind[] = [
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
    waits: ['in', 'out'],
    openFlags: OPEN_FLAGS,
    make: (world, _places, isNonblocking) =>
      masterOf(world, { raw: { minimum: 1, tenths: 0 } }, isNonblocking),
  }),
  ...bothWays({
    name: 'pty master, cooked',
    hasPeer: true,
    hangsUp: true,
    waits: ['in'],
    openFlags: OPEN_FLAGS,
    make: (world, _places, isNonblocking) => masterOf(world, {}, isNonblocking),
  }),
]

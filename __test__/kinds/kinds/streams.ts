/** Pipes, FIFOs and sockets. */
import { constants } from 'node:fs'
import { join } from 'node:path'

import type { Calls } from '../calls.js'
import type { Kind, Made } from '../kind.js'
import { AT_FDCWD, pathWord } from '../operations.js'
import {
  bothWays,
  drain,
  fill,
  giveBytes,
  O_NONBLOCK,
  openFile,
  pairOf,
  setNonblocking,
  TWO_NUMBERS,
} from './tools.js'

const [AF_UNIX, AF_INET] = [1, 2]
const [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET] = [1, 2, 5]
const [SOL_SOCKET, SO_SNDBUF, SO_RCVBUF, SO_LINGER] = [1, 7, 8, 13]
/** Longer than what it waits for takes, and shorter than a test's patience. */
const LINGER_SECONDS = 1
/** Small, so that few bytes fill it. The kernel doubles it. */
const BUFFER_BYTES = 16_384
/** A few of them are longer than a peer takes to say that it has room. */
const ACKNOWLEDGED_MILLISECONDS = 40

/** Two one-way streams: `reader` is the end of the one, `writer` of the other. */
async function twoPipes(world: Calls, isNonblocking: boolean): Promise<Made> {
  const flags = isNonblocking ? O_NONBLOCK : 0
  const [reader, source] = await pairOf(world, 'pipe2', TWO_NUMBERS, 0)
  const [sink, writer] = await pairOf(world, 'pipe2', TWO_NUMBERS, 0)
  await setNonblocking(world, reader, flags !== 0)
  await setNonblocking(world, writer, flags !== 0)
  return between(world, { reader, writer, source, sink })
}

interface Ends {
  reader: number
  writer: number
  source: number
  sink: number
  keepsMessages?: boolean
  piece?: number
}

function between(world: Calls, { reader, writer, source, sink, keepsMessages, piece }: Ends): Made {
  return {
    reader,
    writer,
    give: (bytes) => giveBytes(world, source, bytes),
    fill: () => fill(world, writer, piece),
    take: () => drain(world, sink, keepsMessages),
    next: () => drain(world, reader, keepsMessages),
    hangUp: async () => {
      await world.must('close', source)
      if (sink !== source) await world.must('close', sink)
    },
  }
}

async function fifos(world: Calls, scratch: string, isNonblocking: boolean): Promise<Made> {
  const [first, second, third] = ['first', 'second', 'third'].map((name) =>
    join(scratch, `${name}-${world.pid}`),
  )
  for (const path of [first, second, third]) {
    await world.must('mknodat', AT_FDCWD, pathWord(path ?? ''), constants.S_IFIFO | 0o600, 0)
  }
  // With O_RDWR a FIFO opens without a peer; the end that is asked for follows, and then the first goes.
  const ends = async (path = '') => {
    const both = await openFile(world, path, constants.O_RDWR)
    const read = await openFile(world, path, constants.O_RDONLY)
    const write = await openFile(world, path, constants.O_WRONLY)
    await world.must('close', both)
    return [read, write] as const
  }
  const [reader, source] = await ends(first)
  const [sink, writer] = await ends(second)
  await setNonblocking(world, reader, isNonblocking)
  await setNonblocking(world, writer, isNonblocking)
  return {
    ...between(world, { reader, writer, source, sink }),
    path: third ?? '',
    files: [first, second, third].map((path) => path ?? ''),
    meet: async () => void (await openFile(world, third ?? '', constants.O_RDWR)),
  }
}

/** One socket of a pair, which both reads and writes. */
async function socketPair(world: Calls, type: number, isNonblocking: boolean): Promise<Made> {
  const [ours, peer] = await pairOf(world, 'socketpair', AF_UNIX, type, 0, TWO_NUMBERS)
  await smallBuffers(world, ours, peer)
  await setNonblocking(world, ours, isNonblocking)
  const keepsMessages = type !== SOCK_STREAM
  return between(world, { reader: ours, writer: ours, source: peer, sink: peer, keepsMessages, piece: 1024 })
}

async function smallBuffers(world: Calls, ...sockets: number[]): Promise<void> {
  const number = Buffer.alloc(4)
  number.writeInt32LE(BUFFER_BYTES)
  const word = `i:${number.toString('hex')}`
  for (const socket of sockets) {
    await world.must('setsockopt', socket, SOL_SOCKET, SO_SNDBUF, word, 4)
    await world.must('setsockopt', socket, SOL_SOCKET, SO_RCVBUF, word, 4)
  }
}

/** 127.0.0.1, at a port that the kernel chooses. */
const LOCALHOST = Buffer.from([AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).toString('hex')

async function bound(world: Calls, type: number): Promise<[number, string]> {
  const socket = await world.must('socket', AF_INET, type, 0)
  await smallBuffers(world, socket)
  await world.must('bind', socket, `i:${LOCALHOST}`, 16)
  const { outs } = await world.mustAnswer('getsockname', socket, `x:${'00'.repeat(16)}`, 'x:10000000')
  return [socket, outs[0] ?? '']
}

async function tcp(world: Calls, isNonblocking: boolean): Promise<Made> {
  const [listener, address] = await bound(world, SOCK_STREAM)
  await world.must('listen', listener, 1)
  const peer = await world.must('socket', AF_INET, SOCK_STREAM, 0)
  await smallBuffers(world, peer)
  await world.must('connect', peer, `i:${address}`, 16)
  const ours = await world.must('accept4', listener, 0, 0, 0)
  await world.must('close', listener)
  await setNonblocking(world, ours, isNonblocking)
  const made = between(world, { reader: ours, writer: ours, source: peer, sink: peer })
  return { ...made, fill: () => fill(world, ours, undefined, ACKNOWLEDGED_MILLISECONDS) }
}

/** A close waits until the peer has all that was sent, or for so long. */
async function lingering(world: Calls, isNonblocking: boolean): Promise<Made> {
  const made = await tcp(world, isNonblocking)
  const option = Buffer.alloc(8)
  option.writeInt32LE(1, 0)
  option.writeInt32LE(LINGER_SECONDS, 4)
  await world.must('setsockopt', made.writer, SOL_SOCKET, SO_LINGER, `i:${option.toString('hex')}`, 8)
  return made
}

async function udp(world: Calls, isNonblocking: boolean): Promise<Made> {
  const [ours, ourAddress] = await bound(world, SOCK_DGRAM)
  const [peer, peerAddress] = await bound(world, SOCK_DGRAM)
  await world.must('connect', ours, `i:${peerAddress}`, 16)
  await world.must('connect', peer, `i:${ourAddress}`, 16)
  await setNonblocking(world, ours, isNonblocking)
  const { fill: _never, ...rest } = between(world, {
    reader: ours,
    writer: ours,
    source: peer,
    sink: peer,
    keepsMessages: true,
  })
  return rest
}

export const STREAMS: Kind[] = [
  ...bothWays({
    name: 'pipe',
    hasPeer: true,
    hangsUp: true,
    waits: ['in', 'out'],
    make: (world, _places, isNonblocking) => twoPipes(world, isNonblocking),
  }),
  ...bothWays({
    name: 'FIFO',
    hasPeer: true,
    hangsUp: true,
    waits: ['in', 'out'],
    opensWait: true,
    openFlags: constants.O_RDONLY,
    make: (world, { scratch }, isNonblocking) => fifos(world, scratch, isNonblocking),
  }),
  ...bothWays({
    name: 'TCP',
    hasPeer: true,
    hangsUp: true,
    waits: ['in', 'out'],
    make: (world, _places, isNonblocking) => tcp(world, isNonblocking),
  }),
  ...bothWays({
    name: 'TCP, SO_LINGER',
    hasPeer: true,
    hangsUp: true,
    waits: ['in', 'out'],
    closesWait: true,
    make: (world, _places, isNonblocking) => lingering(world, isNonblocking),
  }),
  ...bothWays({
    name: 'AF_UNIX stream',
    hasPeer: true,
    hangsUp: true,
    waits: ['in', 'out'],
    make: (world, _places, isNonblocking) => socketPair(world, SOCK_STREAM, isNonblocking),
  }),
  ...bothWays({
    name: 'AF_UNIX datagram',
    hasPeer: true,
    waits: ['in', 'out'],
    keepsMessages: true,
    make: (world, _places, isNonblocking) => socketPair(world, SOCK_DGRAM, isNonblocking),
  }),
  ...bothWays({
    name: 'AF_UNIX seqpacket',
    hasPeer: true,
    hangsUp: true,
    waits: ['in', 'out'],
    keepsMessages: true,
    make: (world, _places, isNonblocking) => socketPair(world, SOCK_SEQPACKET, isNonblocking),
  }),
  ...bothWays({
    name: 'UDP',
    // What it cannot send it drops.
    waits: ['in'],
    keepsMessages: true,
    make: (world, _places, isNonblocking) => udp(world, isNonblocking),
  }),
]

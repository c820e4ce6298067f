/** Files that have a position: regular ones on several file systems, block devices, memory with seals; and directories. */
import { constants } from 'node:fs'
import { join } from 'node:path'

import type { Calls } from '../calls.js'
import type { Kind, Made, Places } from '../kind.js'
import { drain, kind, O_NONBLOCK, openFile } from './tools.js'

/** Four blocks that O_DIRECT takes everywhere. */
const CONTENT_BYTES = 16_384
const BLOCK_BYTES = 4096
/** What operations write of a block device, at most: 64 blocks. */
const TAKEN_BYTES = 1 << 18
const [MFD_ALLOW_SEALING, F_ADD_SEALS, F_SEAL_GROW, F_SEAL_WRITE] = [2, 1033, 4, 8]
const SEEK_CUR = 1
const O_PATH = 0o10000000
/** A number that nothing else here has. */
const KEPT = 100
/** arm64 has O_DIRECT and O_DIRECTORY the other way round: node:fs knows. */
const { O_DIRECT, O_APPEND, O_RDWR, O_RDONLY, O_CREAT, O_DIRECTORY } = constants

export const FILESYSTEMS = ['ext4', 'xfs', 'btrfs', 'tmpfs', 'overlay'] as const

function directoryOn(places: Places, filesystem: string): string {
  const found = places.filesystems.get(filesystem)
  if (found === undefined) throw new Error('it was not mounted')
  if ('why' in found) throw new Error(found.why)
  return found.directory
}

async function contentOf(world: Calls, path: string): Promise<string> {
  const fd = await openFile(world, path, O_RDONLY)
  const content = await drain(world, fd)
  await world.must('close', fd)
  return content
}

async function file(world: Calls, directory: string, flags: number): Promise<Made> {
  const path = join(directory, `file-${world.pid}`)
  const writing = await openFile(world, path, O_RDWR | O_CREAT)
  await world.must('write', writing, `p:5:${CONTENT_BYTES}`, CONTENT_BYTES)
  // O_DIRECT finds blocks on the disk.
  await world.must('fsync', writing)
  await world.must('close', writing)
  const fd = await openFile(world, path, O_RDWR | flags)
  return {
    reader: fd,
    writer: fd,
    path,
    files: [path],
    take: () => contentOf(world, path),
    next: () => nextOf(world, fd),
  }
}

/** With O_DIRECT what follows has to be read in blocks: the position says where that would be. */
async function nextOf(world: Calls, fd: number): Promise<string> {
  const { result } = await world.call('lseek', fd, 0, SEEK_CUR)
  return `from ${result}`
}

const FLAGS = [
  ['buffered', 0],
  ['O_APPEND', O_APPEND],
  ['O_DIRECT', O_DIRECT],
  ['O_DIRECT O_APPEND', O_DIRECT | O_APPEND],
  ['O_NONBLOCK', O_NONBLOCK],
] as const

const REGULAR: Kind[] = FILESYSTEMS.flatMap((filesystem) =>
  FLAGS.map(([name, flags]) =>
    kind({
      name: `file on ${filesystem}, ${name}`,
      waits: [],
      isSeekable: true,
      length: BLOCK_BYTES,
      isAligned: (flags & O_DIRECT) !== 0,
      openFlags: O_RDWR | flags,
      make: (world, places) => file(world, directoryOn(places, filesystem), flags),
    }),
  ),
)

async function sealed(world: Calls, seals: number): Promise<Made> {
  const fd = await world.must(
    'memfd_create',
    `i:${Buffer.from('kinds\0').toString('hex')}`,
    MFD_ALLOW_SEALING,
  )
  await world.must('write', fd, `p:5:${CONTENT_BYTES}`, CONTENT_BYTES)
  await world.must('lseek', fd, 0, 0)
  await world.must('fcntl', fd, F_ADD_SEALS, seals)
  const path = `/proc/${world.pid}/fd/${fd}`
  // It has no other name: whoever closes it is not its last user.
  const kept = await world.must('dup3', fd, KEPT, 0)
  return {
    reader: fd,
    writer: fd,
    path,
    take: () => contentOf(world, `/proc/${world.pid}/fd/${kept}`),
    next: () => nextOf(world, fd),
  }
}

async function blockDevice(world: Calls, places: Places, flags: number): Promise<Made> {
  const path = directoryOn(places, 'block device')
  const fd = await openFile(world, path, O_RDWR)
  await world.must('pwrite64', fd, `p:5:${CONTENT_BYTES}`, CONTENT_BYTES, 0)
  await world.must('fsync', fd)
  await world.must('close', fd)
  const ours = await openFile(world, path, O_RDWR | flags)
  const take = async () => {
    const reading = await openFile(world, path, O_RDONLY)
    const content = await drain(world, reading, false, TAKEN_BYTES)
    await world.must('close', reading)
    return content
  }
  return { reader: ours, writer: ours, path, take, next: () => nextOf(world, ours) }
}

/** A file system with room for a few blocks: the first write is short, the second fails. */
async function nearlyFull(world: Calls, places: Places): Promise<Made> {
  const directory = directoryOn(places, 'full tmpfs')
  const path = join(directory, 'file')
  const fd = await openFile(world, path, O_RDWR | O_CREAT | constants.O_TRUNC)
  return {
    reader: fd,
    writer: fd,
    path,
    files: [path],
    take: () => contentOf(world, path),
    next: () => nextOf(world, fd),
  }
}

async function opened(world: Calls, path: string, flags: number): Promise<Made> {
  const fd = await openFile(world, path, flags)
  return { reader: fd, writer: fd, path }
}

export const FILES: Kind[] = [
  ...REGULAR,
  kind({
    name: 'file on a full tmpfs',
    shares: 'full tmpfs',
    waits: [],
    isSeekable: true,
    length: BLOCK_BYTES,
    openFlags: O_RDWR,
    make: nearlyFull,
  }),
  kind({
    name: 'memfd, sealed against writes',
    waits: [],
    isSeekable: true,
    length: BLOCK_BYTES,
    openFlags: O_RDONLY,
    make: (world) => sealed(world, F_SEAL_WRITE | F_SEAL_GROW),
  }),
  kind({
    name: 'memfd, sealed against growth',
    waits: [],
    isSeekable: true,
    length: BLOCK_BYTES,
    openFlags: O_RDONLY,
    make: (world) => sealed(world, F_SEAL_GROW),
  }),
  ...(
    [
      ['buffered', 0],
      ['O_DIRECT', O_DIRECT],
    ] as const
  ).map(([name, flags]) =>
    kind({
      name: `block device, ${name}`,
      shares: 'block device',
      waits: [],
      isSeekable: true,
      length: BLOCK_BYTES,
      isAligned: flags !== 0,
      openFlags: O_RDWR | flags,
      make: (world, places) => blockDevice(world, places, flags),
    }),
  ),
  kind({
    name: 'directory',
    waits: [],
    isSeekable: true,
    moves: [],
    openFlags: O_RDONLY | O_DIRECTORY,
    make: (world, { scratch }) => opened(world, scratch, O_RDONLY | O_DIRECTORY),
  }),
  kind({
    name: 'O_PATH',
    waits: [],
    isSeekable: true,
    moves: [],
    openFlags: O_PATH,
    make: (world, { scratch }) => opened(world, scratch, O_PATH),
  }),
]

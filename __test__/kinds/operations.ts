/** The operations: each as a plain system call, and as what the process of the ring is asked for. */
import { constants } from 'node:fs'

import type { Word } from './calls.js'

/** What an operation is done with. */
export interface Subject {
  fd: number
  /** Of the data, in bytes. */
  length: number
  /** What is written, in hexadecimal, where it is not a pattern. */
  payload: string | undefined
  /** For operations at a position. */
  position: number
  path: string
  openFlags: number
  /** Whether memory must begin at a page, as O_DIRECT wants it. */
  aligned: boolean
  async: boolean
  /** In milliseconds. */
  timeout: number | undefined
  /** Of the pattern that is written. */
  seed: number
  /** How many of it are begun at once. */
  times: number
}

export type OperationName =
  | 'read'
  | 'readv'
  | 'read at'
  | 'readv at'
  | 'write'
  | 'writev'
  | 'write at'
  | 'writev at'
  | 'poll in'
  | 'poll out'
  | 'fsync'
  | 'open'
  | 'close'

export interface Operation {
  name: OperationName
  /** Which way the data goes; a poll waits for that way. */
  direction: 'in' | 'out' | 'none'
  moves: boolean
  /** Whether it names a position itself. */
  isPlaced: boolean
  /** As the kernel's operations are numbered (linux/io_uring.h): what fdinfo of a ring shows. */
  opcodes: number[]
  call: (subject: Subject) => [string, ...Word[]]
}

export const SEED = 3
export const POLLIN = 1
export const POLLOUT = 4

/** Two parts, the second of which is the larger one: a call that fills only the first is seen. */
export function partsOf(length: number, aligned: boolean): [number, number] {
  // Direct I/O wants whole blocks in each part.
  const first = aligned ? Math.floor(length / 8192) * 4096 : Math.floor(length / 3)
  return [first, length - first]
}

function source({ payload, length, seed }: Subject): string {
  return payload === undefined || length === 0 ? `p:${seed}:${length}` : `i:${payload}`
}

function sources(subject: Subject): string {
  const { payload, length, aligned, seed } = subject
  if (payload !== undefined && length > 0) return `v:i:${payload}`
  const [first, second] = partsOf(length, aligned)
  return `v:p:${seed}:${first},p:${seed}:${second}:${first}`
}

function countOf({ payload, length }: Subject): number {
  return payload !== undefined && length > 0 ? 1 : 2
}

function destinations({ length, aligned }: Subject): string {
  const [first, second] = partsOf(length, aligned)
  return `v:d:${first},d:${second}`
}

function pollfd(fd: number, events: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeInt32LE(fd, 0)
  bytes.writeInt16LE(events, 4)
  return `x:${bytes.toString('hex')}`
}

export function pathWord(path: string): string {
  return `i:${Buffer.from(`${path}\0`).toString('hex')}`
}

/** What openat takes for the current directory. */
export const AT_FDCWD = -100

const [POLL_ADD, READV, WRITEV, FSYNC, OPENAT, CLOSE, READ, WRITE] = [6, 1, 2, 3, 18, 19, 22, 23] as const

export const OPERATIONS: Operation[] = [
  {
    name: 'read',
    direction: 'in',
    moves: true,
    isPlaced: false,
    opcodes: [READ],
    call: ({ fd, length }) => ['read', fd, `d:${length}`, length],
  },
  {
    name: 'readv',
    direction: 'in',
    moves: true,
    isPlaced: false,
    opcodes: [READV],
    call: (subject) => ['readv', subject.fd, destinations(subject), 2],
  },
  {
    name: 'read at',
    direction: 'in',
    moves: true,
    isPlaced: true,
    opcodes: [READ],
    call: ({ fd, length, position }) => ['pread64', fd, `d:${length}`, length, position],
  },
  {
    name: 'readv at',
    direction: 'in',
    moves: true,
    isPlaced: true,
    opcodes: [READV],
    call: (subject) => ['preadv', subject.fd, destinations(subject), 2, subject.position, 0],
  },
  {
    name: 'write',
    direction: 'out',
    moves: true,
    isPlaced: false,
    opcodes: [WRITE],
    call: (subject) => ['write', subject.fd, source(subject), subject.length],
  },
  {
    name: 'writev',
    direction: 'out',
    moves: true,
    isPlaced: false,
    opcodes: [WRITEV],
    call: (subject) => ['writev', subject.fd, sources(subject), countOf(subject)],
  },
  {
    name: 'write at',
    direction: 'out',
    moves: true,
    isPlaced: true,
    opcodes: [WRITE],
    call: (subject) => ['pwrite64', subject.fd, source(subject), subject.length, subject.position],
  },
  {
    name: 'writev at',
    direction: 'out',
    moves: true,
    isPlaced: true,
    opcodes: [WRITEV],
    call: (subject) => ['pwritev', subject.fd, sources(subject), countOf(subject), subject.position, 0],
  },
  {
    name: 'poll in',
    direction: 'in',
    moves: false,
    isPlaced: false,
    opcodes: [POLL_ADD],
    call: ({ fd }) => ['ppoll', pollfd(fd, POLLIN), 1, 0, 0, 0],
  },
  {
    name: 'poll out',
    direction: 'out',
    moves: false,
    isPlaced: false,
    opcodes: [POLL_ADD],
    call: ({ fd }) => ['ppoll', pollfd(fd, POLLOUT), 1, 0, 0, 0],
  },
  {
    name: 'fsync',
    direction: 'none',
    moves: false,
    isPlaced: false,
    opcodes: [FSYNC],
    call: ({ fd }) => ['fsync', fd],
  },
  {
    name: 'open',
    direction: 'none',
    moves: false,
    isPlaced: false,
    opcodes: [OPENAT],
    call: ({ path, openFlags }) => [
      'openat',
      AT_FDCWD,
      pathWord(path),
      openFlags | constants.O_NOCTTY,
      0o600,
    ],
  },
  {
    name: 'close',
    direction: 'none',
    moves: false,
    isPlaced: false,
    opcodes: [CLOSE],
    call: ({ fd }) => ['close', fd],
  },
]

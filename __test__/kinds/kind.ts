/** What a kind of descriptor is to the matrix. */
import type { Calls } from './calls.js'

/** A descriptor that was made for one cell, with what can be done from its other side. All numbers are the world's. */
export interface Made {
  /** What is read from, and what is written to. */
  reader: number
  writer: number
  /** By what name `open` opens it. */
  path?: string
  /** Makes this many bytes, or one message of them, readable. `actor` is who reads. */
  give?: (bytes: number, actor: number) => Promise<void>
  /** Fills it until a write waits; resolves to the number of bytes. */
  fill?: () => Promise<number>
  /** Takes all that was written, and names it. */
  take?: () => Promise<string>
  /** The other side closes. */
  hangUp?: () => Promise<void>
  /** What a following read finds, where that is not what `reader` has. */
  next?: () => Promise<string>
  /** Brings who was stopped to the foreground, and continues it. */
  resume?: (actor: number) => Promise<void>
  /** What was made for it on a disk, and goes with it. */
  files?: string[]
  /** What was mounted for it. */
  mounts?: string[]
  /** Lets somebody else open it, where an open waits for that. */
  meet?: () => Promise<void>
}

/** Where a kind's files are made. */
export interface Places {
  /** Directories on file systems by name; where one is missing, why. */
  filesystems: Map<string, { directory: string } | { why: string }>
  /** A directory for FIFOs and sockets. */
  scratch: string
  /** The program of crates/kinds that serves a FUSE file. */
  programs: string
}

/** How a process is to the terminal that controls it. */
export interface Session {
  where: 'foreground' | 'background' | 'orphaned'
  /** Signals that it ignores. */
  ignores?: number[]
  /** Whether it has used process.stdin. */
  besideStdin?: boolean
}

export interface Kind {
  name: string
  /** Of its descriptors, when they are made. */
  isNonblocking: boolean
  /** The same without O_NONBLOCK: what a ring's operation, which waits, is compared with. */
  twin?: Kind
  /** Which ways may wait. */
  waits: readonly ('in' | 'out')[]
  /** Which ways a poll may wait, where these are others. */
  polls?: readonly ('in' | 'out')[]
  /** Whether there is another side that can go. */
  hasPeer?: boolean
  /** Whether what waits ends as the other side goes. */
  hangsUp?: boolean
  /** Whether a write waits on, all the same: a terminal's master is there for the next who opens its slave. */
  writesOutlivePeer?: boolean
  /** Whether a server answers, in its own time. */
  isServed?: boolean
  /** Whether whoever waits waits for ever, a signal or not. */
  neverEnds?: boolean
  /** Whether a close of it waits for the other side. */
  closesWait?: boolean
  /** So few bytes that a read waits for more. */
  few?: number
  /** Whether it waits for more only for a while. */
  fewEnds?: boolean
  /** What all its descriptors share: two cells with it do not run at once. */
  shares?: string
  /** Which ways data can go at all. */
  moves: readonly ('in' | 'out')[]
  /** Whether an operation may name a position. */
  isSeekable: boolean
  /** Whether an open of it by name may wait for somebody. */
  opensWait?: boolean
  openFlags?: number
  /** How many bytes an operation asks for. */
  length: number
  /** What can be written, in hexadecimal, where a pattern cannot. */
  payload?: string
  /** As what the process has it: its standard input, from the terminal that controls it. */
  session?: Session
  /** What is read is another thing each time: only whether and how it ends can be compared. */
  isVolatile?: boolean
  /** Where the memory has to begin at a page. */
  isAligned?: boolean
  /** The signal that a reading thread has to have blocked. */
  blockSignal?: number
  /** Whether messages keep their ends. */
  keepsMessages?: boolean
  make: (world: Calls, places: Places, isNonblocking: boolean) => Promise<Made>
}

/** What several kinds are made with. */
import { constants } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

import { type Calls, errnoName, type Word } from '../calls.js'
import type { Kind } from '../kind.js'
import { AT_FDCWD, pathWord } from '../operations.js'

/** As O_NONBLOCK, SOCK_NONBLOCK and TFD_NONBLOCK are on x64 and arm64. */
export const O_NONBLOCK = constants.O_NONBLOCK
/** What no test fills: more than any buffer here takes. */
export const ENOUGH_BYTES = 1 << 23
/** Larger than any message here. */
const PIECE_BYTES = 1 << 17
/** The bytes that the other side gives are told from those that the operation writes. */
const GIVEN_SEED = 11

export function openFile(world: Calls, path: string, flags: number, mode = 0o600): Promise<number> {
  return world.must('openat', AT_FDCWD, pathWord(path), flags, mode)
}

/** Takes what there is, without waiting; where ends of messages matter, each by itself. */
export async function drain(
  world: Calls,
  fd: number,
  separately = false,
  enough = ENOUGH_BYTES,
): Promise<string> {
  const { result, errno, outs } = await world.ask('drain', fd, Math.min(PIECE_BYTES, enough), enough)
  if (result < 0) return errnoName(errno)
  const [all = '-', messages = '-'] = outs
  const end = messages.endsWith('EOF') ? ' EOF' : errno === 0 ? '' : ` ${errnoName(errno)}`
  return (separately ? messages : all) + end.replace(' EAGAIN', '')
}

/** So often in a row nothing more must fit: a terminal's driver moves on, after a while, what was written. */
const FULL_LOOKS = 4
const LOOK_MILLISECONDS = 3
/** What the filling begins with, as crates/kinds/src/streams.rs writes it: no operation's data does. */
export const FILLING = '48'

/** Fills until it stays full; resolves to the number of bytes. */
export async function fill(
  world: Calls,
  fd: number,
  piece = 4096,
  pause = LOOK_MILLISECONDS,
): Promise<number> {
  let total = 0
  for (let looks = 0; looks < FULL_LOOKS; looks += 1) {
    const { result } = await world.ask('fill', fd, piece)
    if (result < 0) throw new Error('it cannot be filled')
    total += result
    if (result > 0) looks = 0
    await delay(pause)
  }
  return total
}

export async function giveBytes(world: Calls, fd: number, bytes: number): Promise<void> {
  await world.must('write', fd, `p:${GIVEN_SEED}:${bytes}`, bytes)
}

/** Two numbers that a call wrote. */
export async function pairOf(world: Calls, name: string, ...words: Word[]): Promise<[number, number]> {
  const { outs } = await world.mustAnswer(name, ...words)
  const bytes = Buffer.from(outs[0] ?? '', 'hex')
  return [bytes.readInt32LE(0), bytes.readInt32LE(4)]
}

export const TWO_NUMBERS = 'x:0000000000000000'

export async function setNonblocking(world: Calls, fd: number, isNonblocking: boolean): Promise<void> {
  if (!isNonblocking) return
  const flags = await world.must('fcntl', fd, F_GETFL, 0)
  await world.must('fcntl', fd, F_SETFL, flags | O_NONBLOCK)
}

const [F_GETFL, F_SETFL] = [3, 4]

/** The words of `spawn` and `exec`. */
export function programWords(...words: string[]): string[] {
  return words.map((word) => Buffer.from(word).toString('hex'))
}

type Details = Omit<Kind, 'isNonblocking' | 'twin' | 'length' | 'isSeekable' | 'moves'> &
  Partial<Pick<Kind, 'length' | 'isSeekable' | 'moves'>>

/** How many bytes an operation asks for, where the kind does not say. */
const LENGTH = 16

/** A kind with both flags: blocking, and O_NONBLOCK. */
export function bothWays(details: Details): Kind[] {
  const blocking = kind(details)
  return [blocking, { ...blocking, name: `${details.name}, O_NONBLOCK`, isNonblocking: true, twin: blocking }]
}

export function kind(details: Details): Kind {
  return { isNonblocking: false, length: LENGTH, isSeekable: false, moves: ['in', 'out'], ...details }
}

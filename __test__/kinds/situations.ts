/** The situations in which an operation is done. */
import { constants } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

import type { Actor } from './actors.js'
import type { Calls } from './calls.js'
import type { Kind, Made } from './kind.js'
import type { CancelWay } from './messages.js'
import { AT_FDCWD, type Operation, pathWord } from './operations.js'

export type SituationName =
  | 'bytes there'
  | 'none'
  | 'zero bytes asked'
  | 'more than fits'
  | 'fewer than it waits for'
  | 'partly done, then again'
  | 'peer gone'
  | 'hang-up'
  | 'another reader'
  | '64 at once'
  | 'stopped and continued'
  | `cancelled by ${CancelWay}`
  | 'cancelled as it completes'
  | 'async, bytes there'
  | 'async, none'

export interface Context {
  world: Calls
  made: Made
  kind: Kind
  operation: Operation
  actor: Actor
}

export interface Situation {
  name: SituationName
  /** What there is before the operation begins. */
  before: (context: Context) => Promise<void>
  /** What happens once it waits. Without it, it is cancelled. */
  event?: (context: Context) => Promise<void>
  cancel?: CancelWay
  isAsync?: boolean
  /** How many bytes are asked for; the kind says, otherwise. */
  length?: (kind: Kind) => number
  /** Whether the operation is done once more, with the same. */
  isTwice?: boolean
  hasRival?: boolean
  isRace?: boolean
  /** How often it is begun at once. */
  times?: number
}

/** More than any pipe, socket or terminal takes here, and whole blocks. */
const MORE_BYTES = 1 << 19
/** What is asked for of a file that may grow to half of it. */
const TWICE_BYTES = 131_072
/** How far a file may grow, in the situation that breaks off. */
export const FILE_SIZE_LIMIT = 65_536

const TIMES = 64

const nothing = () => Promise.resolve()

async function give({ made, kind, actor }: Context): Promise<void> {
  await made.give?.(kind.length, actor.pid)
}

/** What an operation of this way wants is there. */
async function ready(context: Context): Promise<void> {
  const { operation, made } = context
  if (operation.name === 'open') await made.meet?.()
  if (operation.direction === 'in') await give(context)
}

const SEEK_END = 2
/** Of the blocks of a file for many. */
const LONG_SEED = 17
/** Both are long enough to be seen; nothing depends on it. */
const STOPPED_MILLISECONDS = 20

/** Nothing is there: nothing to read, no room, or nobody. */
async function empty({ operation, made, kind, world }: Context): Promise<void> {
  if (operation.direction === 'out' || operation.name === 'close') await made.fill?.()
  if (operation.direction === 'in' && kind.isSeekable && made.give === undefined) {
    await world.call('lseek', made.reader, 0, SEEK_END)
  }
}

/** What ends the wait as it should end. */
async function arrive(context: Context): Promise<void> {
  const { operation, made, actor } = context
  await made.resume?.(actor.pid)
  if (operation.name === 'open') await made.meet?.()
  else if (operation.direction === 'out' || operation.name === 'close') await made.take?.()
  else await give(context)
}

/** A file that each of many finds a block of its own in, as far as it takes so much. */
async function lengthen({ operation, made, kind, world }: Context): Promise<void> {
  if (operation.direction !== 'in' || made.path === undefined) return
  const fd = await world.call('openat', AT_FDCWD, pathWord(made.path), constants.O_WRONLY, 0)
  if (fd.result < 0) return
  const bytes = TIMES * kind.length
  await world.call('write', fd.result, `p:${LONG_SEED}:${bytes}`, bytes)
  await world.must('close', fd.result)
}

const CANCEL_WAYS: CancelWay[] = ['cancel', 'signal', 'timeout', 'closeFd', 'destroy']

export const SITUATIONS: Situation[] = [
  { name: 'bytes there', before: ready, event: arrive },
  { name: 'none', before: empty, event: arrive },
  { name: 'zero bytes asked', before: empty, event: arrive, length: () => 0 },
  { name: 'more than fits', before: ready, event: arrive, length: () => MORE_BYTES },
  {
    name: 'fewer than it waits for',
    before: ({ made, kind, actor }) => made.give?.(kind.few ?? 1, actor.pid) ?? nothing(),
    event: (context) => (context.kind.fewEnds === true ? nothing() : arrive(context)),
  },
  {
    name: 'partly done, then again',
    before: async (context) => {
      await ready(context)
      if (context.operation.direction === 'in') await context.made.hangUp?.()
    },
    event: async ({ made }) => {
      await made.hangUp?.()
    },
    length: () => TWICE_BYTES,
    isTwice: true,
  },
  { name: 'peer gone', before: ({ made }) => made.hangUp?.() ?? nothing(), event: arrive },
  { name: 'hang-up', before: empty, event: ({ made }) => made.hangUp?.() ?? nothing() },
  { name: 'another reader', before: empty, event: give, hasRival: true },
  { name: '64 at once', before: lengthen, event: arrive, times: TIMES },
  {
    name: 'stopped and continued',
    before: empty,
    event: async (context) => {
      process.kill(context.actor.pid, 'SIGSTOP')
      await delay(STOPPED_MILLISECONDS)
      process.kill(context.actor.pid, 'SIGCONT')
      await delay(STOPPED_MILLISECONDS)
      await arrive(context)
    },
  },
  ...CANCEL_WAYS.map((cancel): Situation => ({ name: `cancelled by ${cancel}`, before: empty, cancel })),
  { name: 'cancelled as it completes', before: empty, cancel: 'cancel', isRace: true },
  { name: 'async, bytes there', before: ready, event: arrive, isAsync: true },
  { name: 'async, none', before: empty, event: arrive, isAsync: true },
]

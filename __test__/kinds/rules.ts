/** Which cells are not run, and why; and where the ring differs from the system call on purpose. */
import type { Kind } from './kind.js'
import type { Operation } from './operations.js'
import type { Outcome } from './outcome.js'
import type { Situation, SituationName } from './situations.js'

export interface Cell {
  kind: Kind
  operation: Operation
  situation: Situation
}

interface Exclusion {
  reason: string
  excludes: (cell: Cell) => boolean
}

/** Whether the operation may wait for the other side. */
export function mayWait({ kind, operation }: Cell): boolean {
  if (operation.name === 'open') return kind.opensWait === true
  if (operation.name === 'close') return kind.closesWait === true
  if (operation.direction === 'none') return false
  if (operation.isPlaced && !kind.isSeekable) return false
  const ways = operation.moves ? kind.waits : (kind.polls ?? kind.waits)
  return ways.includes(operation.direction)
}

/** Those in which something happens to an operation that waits. */
function isAboutWaiting({ name, cancel }: Situation): boolean {
  return (
    cancel !== undefined ||
    ['hang-up', 'another reader', 'stopped and continued', 'async, none'].includes(name)
  )
}

function among(situation: Situation, ...names: SituationName[]): boolean {
  return names.includes(situation.name)
}

const ABOUT_BYTES: SituationName[] = [
  'zero bytes asked',
  'more than fits',
  'fewer than it waits for',
  'partly done, then again',
  'another reader',
  '64 at once',
]

/** Whether nothing can end what waits, so that nobody needs patience to see it. */
export function neverEnds(cell: Cell): boolean {
  const { kind, operation } = cell
  if (kind.neverEnds === true) return true
  if (operation.direction === 'none' || mayWait(cell)) return false
  // There is never room in what cannot be written, nor a poll that says so of these.
  return !operation.moves || isFullForPoll(kind)
}

function isTerminal({ name, session }: Kind): boolean {
  return name.startsWith('pty') || session !== undefined
}

function isFullForPoll(kind: Kind): boolean {
  return kind.name.startsWith('/dev/kmsg') || kind.name.startsWith('fanotify')
}

const EXCLUSIONS: Exclusion[] = [
  {
    reason: 'it has no name that could be opened',
    excludes: ({ kind, operation }) => operation.name === 'open' && kind.openFlags === undefined,
  },
  {
    reason: 'an operation that moves no bytes is asked for none',
    excludes: ({ operation, situation }) => !operation.moves && among(situation, ...ABOUT_BYTES),
  },
  {
    reason: 'whom nobody ever answers waits, whatever else there is',
    excludes: ({ kind, situation }) =>
      kind.neverEnds === true &&
      situation.cancel === undefined &&
      !among(situation, 'bytes there', 'zero bytes asked', 'async, bytes there'),
  },
  {
    reason: 'only a position that several share says what each of them gets',
    excludes: ({ kind, operation, situation }) =>
      situation.times !== undefined && (!kind.isSeekable || operation.isPlaced),
  },
  {
    reason: 'the operation does not wait on this kind',
    excludes: (cell) => isAboutWaiting(cell.situation) && !mayWait(cell),
  },
  {
    reason: 'there is always room',
    excludes: (cell) => cell.operation.direction === 'out' && among(cell.situation, 'none') && !mayWait(cell),
  },
  {
    reason: 'an open or fsync has nothing to find but what it is done to',
    excludes: (cell) =>
      ['open', 'fsync'].includes(cell.operation.name) &&
      among(cell.situation, 'none', 'peer gone') &&
      !mayWait(cell),
  },
  {
    reason: 'an open by name makes its own other side',
    excludes: ({ operation, situation }) =>
      operation.name === 'open' && among(situation, 'peer gone', 'hang-up'),
  },
  {
    reason: 'an open has no descriptor to be closed',
    excludes: ({ operation, situation }) => operation.name === 'open' && situation.cancel === 'closeFd',
  },
  {
    reason: 'closeFd takes no options, and a close is not cancelled',
    excludes: ({ operation, situation }) =>
      operation.name === 'close' && (situation.isAsync === true || situation.cancel !== undefined),
  },
  {
    reason: 'the kind cannot be read, or written: what is asked for makes no difference',
    excludes: ({ kind, operation: { direction, moves }, situation }) =>
      direction !== 'none' &&
      moves &&
      !kind.moves.includes(direction) &&
      !among(situation, 'bytes there', 'zero bytes asked', 'async, bytes there'),
  },
  {
    reason: 'the kind has no position: what is there makes no difference',
    excludes: ({ kind, operation, situation }) =>
      operation.isPlaced && !kind.isSeekable && !among(situation, 'bytes there', 'async, bytes there'),
  },
  {
    reason: 'there is no other side that could go',
    excludes: ({ kind, situation }) => among(situation, 'peer gone') && kind.hasPeer !== true,
  },
  {
    reason: 'what waits does not end as the other side goes',
    excludes: ({ kind, operation, situation }) =>
      among(situation, 'hang-up') &&
      (kind.hangsUp !== true || (kind.writesOutlivePeer === true && operation.direction === 'out')),
  },
  {
    reason: 'what a race can lose is bytes of a read; of writes the stress test keeps count',
    excludes: ({ kind, operation, situation }) =>
      situation.isRace === true &&
      (operation.direction !== 'in' || !operation.moves || kind.blockSignal !== undefined),
  },
  {
    reason: 'a server answers in its own time: nobody gives bytes as the cancel comes',
    excludes: ({ kind, situation }) => kind.isServed === true && situation.isRace === true,
  },
  {
    reason: 'a server that takes its time takes it for each of many',
    excludes: ({ kind, situation }) =>
      kind.isServed === true && kind.waits.length > 0 && situation.times !== undefined,
  },
  {
    reason:
      'process.stdin has the terminal open, too: no close is the last, and no hang-up meets one descriptor alone',
    excludes: ({ kind, operation, situation }) =>
      kind.session?.besideStdin === true &&
      (operation.name === 'close' || among(situation, 'partly done, then again')),
  },
  {
    reason: 'who is in the background, or orphaned, stops or fails before anything else matters',
    excludes: ({ kind, situation }) =>
      kind.session !== undefined &&
      kind.session.where !== 'foreground' &&
      !among(situation, 'bytes there', 'none', 'async, bytes there'),
  },
  {
    reason: 'one byte is enough for it',
    excludes: ({ kind, operation, situation }) =>
      among(situation, 'fewer than it waits for') && (kind.few === undefined || operation.direction !== 'in'),
  },
  {
    reason: 'who writes has no other reader beside it',
    excludes: ({ operation, situation }) => situation.hasRival === true && operation.direction !== 'in',
  },
  {
    reason: 'it takes whole messages of one size',
    excludes: ({ kind, operation, situation }) =>
      kind.payload !== undefined &&
      operation.direction === 'out' &&
      among(situation, 'more than fits', 'partly done, then again'),
  },
  {
    reason: 'nothing breaks it off',
    excludes: ({ kind, operation, situation }) =>
      among(situation, 'partly done, then again') &&
      ((kind.hangsUp !== true && !kind.isSeekable) ||
        (kind.writesOutlivePeer === true && operation.direction === 'out')),
  },
]

/** Why a cell is not run. */
export function exclusionOf(cell: Cell): string | undefined {
  return EXCLUSIONS.find(({ excludes }) => excludes(cell))?.reason
}

export type Field = 'result' | 'data' | 'second' | 'taken' | 'position' | 'next'

interface Difference {
  name: string
  /** Words of docs/contract.md that promise it. */
  sentence: string
  allows: (cell: Cell, field: Field, call: Outcome, ring: Outcome) => boolean
  /** Where the ring's thread may be held, too. */
  holds?: (cell: Cell) => boolean
}

const POLLNVAL = '32'
const POLLHUP = 16

function isCount(text: string): boolean {
  return /^\d+$/.test(text)
}

export const DIFFERENCES: Difference[] = [
  {
    name: 'cancelled, where a signal would interrupt',
    sentence: '-EINTR and -512 to -516 after a cancel count as cancelled',
    allows: ({ situation }, field, call, ring) =>
      field === 'result' &&
      situation.cancel !== undefined &&
      call.result === 'EINTR' &&
      ring.result === 'cancelled',
  },
  {
    name: 'a hang-up is what a read after it finds',
    sentence:
      'A read that waits on a terminal ends, as the other side goes, as a read after the hang-up does',
    allows: ({ kind, operation, situation }, field, call, ring) =>
      field === 'result' &&
      (kind.name.startsWith('pty slave') || kind.session !== undefined) &&
      operation.direction === 'in' &&
      situation.name === 'hang-up' &&
      call.result === 'EIO' &&
      ring.result === '0',
  },
  {
    name: 'nothing is asked for zero bytes',
    sentence: 'Zero bytes settle at once with 0 also where the system call asks the driver first',
    allows: ({ situation }, _field, _call, ring) =>
      situation.name === 'zero bytes asked' && ring.result === '0',
  },
  {
    name: 'a poll of what is no open file',
    sentence: '`poll` rejects with EBADF where poll(2) answers POLLNVAL',
    allows: ({ operation }, field, call, ring) =>
      field === 'result' &&
      operation.name.startsWith('poll') &&
      call.result === POLLNVAL &&
      ring.result === 'EBADF',
  },
  {
    name: 'a terminal of another process group',
    sentence: 'A terminal whose foreground another process group has',
    allows: ({ kind, operation }) =>
      kind.session !== undefined && kind.session.where !== 'foreground' && operation.moves,
  },
  {
    name: 'a poll that never says that there is room',
    sentence: 'Writes to /dev/kmsg and to fanotify',
    allows: ({ kind, operation }, field, _call, ring) =>
      field === 'result' && isFullForPoll(kind) && operation.direction === 'out' && ring.result === 'never',
  },
  {
    name: 'given up',
    sentence: 'After `drainTimeout` an operation that the kernel holds settles as stuck',
    allows: ({ kind, situation }, _field, call, ring) =>
      kind.neverEnds === true &&
      situation.cancel === 'destroy' &&
      call.result === 'never' &&
      ring.result === 'ERR_OPERATION_STUCK',
  },
  {
    name: 'a socket that its peer reset',
    sentence: 'A write to a socket that its peer reset',
    allows: ({ kind, operation, situation }, field, call, ring) =>
      field === 'result' &&
      kind.name.startsWith('AF_UNIX') &&
      operation.direction === 'out' &&
      situation.name === 'hang-up' &&
      [call.result, ring.result].every((result) => ['EPIPE', 'ECONNRESET'].includes(result)),
  },
  {
    name: 'a position that somebody else is at',
    sentence: 'Whoever is in read(2) or write(2) at the position of the same open file holds it',
    allows: () => false,
    holds: ({ kind, operation, situation }) =>
      kind.isServed === true && situation.hasRival === true && !operation.isPlaced,
  },
  {
    name: 'what a poll says beside a hang-up',
    sentence: 'what else was true when it was woken',
    allows: ({ operation, situation }, field, call, ring) =>
      field === 'result' &&
      operation.name.startsWith('poll') &&
      situation.name === 'hang-up' &&
      [call.result, ring.result].every((mask) => (Number(mask) & POLLHUP) !== 0),
  },
  {
    name: 'a read of zeros may be short',
    sentence: 'A read of /dev/zero or /dev/full',
    allows: ({ kind, operation }, _field, call, ring) =>
      (kind.name.startsWith('/dev/zero') || kind.name.startsWith('/dev/full')) &&
      operation.direction === 'in' &&
      operation.moves &&
      Number(ring.result) > 0 &&
      Number(call.result) > 0,
  },
  {
    name: 'a write may be short',
    sentence: 'fewer may be written than were given',
    allows: ({ kind, operation }, _field, call, ring) =>
      operation.direction === 'out' &&
      operation.moves &&
      isCount(call.result) &&
      isCount(ring.result) &&
      Number(ring.result) > 0 &&
      // What a terminal takes at once depends on how far its other end has read.
      (Number(ring.result) < Number(call.result) || isTerminal(kind)),
  },
]

/** The name of the rule by which the thread may be held. */
export function holdingOf(cell: Cell): string | undefined {
  return DIFFERENCES.find(({ holds }) => holds?.(cell) === true)?.name
}

/** The name of the rule by which a field may differ. */
export function differenceOf(cell: Cell, field: Field, call: Outcome, ring: Outcome): string | undefined {
  return DIFFERENCES.find(({ allows }) => allows(cell, field, call, ring))?.name
}

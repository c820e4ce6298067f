/** Does one cell once, with the system call or with the ring, and says what was seen. */
import { execFileSync } from 'node:child_process'
import { rmdirSync, rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

import { type Actor, CallActor, inTime, RingActor, type RingPlace } from './actors.js'
import { type Calls, type Helper, Hung } from './calls.js'
import { lengthOf } from './data.js'
import type { Made, Places, Session } from './kind.js'
import type { Doer, Settled } from './messages.js'
import { FILLING, O_NONBLOCK } from './kinds/tools.js'
import { SEED, type Subject } from './operations.js'
import { emptyOutcome, type Outcome } from './outcome.js'
import { patient } from './patience.js'
import type { Cell } from './rules.js'
import { forkInto, STDIN } from './session.js'
import { type Context, FILE_SIZE_LIMIT } from './situations.js'

/** Whom a cell is done with. */
export interface Workplace {
  helper: Helper
  places: Places
  /** What the event has not ended by then never ends. */
  limit: number
  /** Who does it in the process of the ring; the ring itself if nobody is named. */
  by?: Doer
}

/** How often the race is run in one cell. */
const RACES = 12
/** Until a peer's next step, if one was not enough. */
const STEP_MILLISECONDS = 10
/** From the call to its timeout: it waits by then. */
const TIMEOUT_MILLISECONDS = patient(60)
/** How long `destroy` waits for what ends; and for what never does. */
const [DRAIN_MILLISECONDS, SHORT_DRAIN_MILLISECONDS] = [1000, 100]
/** Behind the channels of crates/kinds. */
const [FIRST_DESCRIPTOR, LAST_DESCRIPTOR] = [7, 0x7fff_ffff]
const SEEK_CUR = 1
const LAST_CHANNEL = 6
const [SIG_BLOCK, SIGXFSZ, RLIMIT_FSIZE] = [0, 25, 1]

/** The kinds' own positions: a block where blocks are asked for, and not the beginning. */
function positionFor({ kind, situation }: Cell): number {
  if (situation.isTwice === true) return 0
  if (situation.name === 'none' && kind.isSeekable && kind.length === 4096) return 4 * kind.length
  return kind.length === 4096 ? kind.length : 2
}

class Performance {
  readonly outcome = emptyOutcome()
  readonly #taken: string[] = []
  readonly #cell: Cell
  readonly #place: Workplace
  readonly #world: Calls
  readonly #made: Made
  #hasHungUp = false
  #forked: Calls | undefined
  #filled = 0

  constructor(cell: Cell, place: Workplace, world: Calls, made: Made) {
    this.#cell = cell
    this.#place = place
    this.#world = world
    const { take } = made
    this.#made = made
    const { hangUp } = made
    if (hangUp !== undefined) {
      made.hangUp = async () => {
        this.#hasHungUp = true
        await hangUp()
      }
    }
    const { fill } = made
    if (fill !== undefined) {
      made.fill = async () => {
        const filled = await fill()
        this.#filled += filled
        return filled
      }
    }
    if (take !== undefined) {
      made.take = async () => {
        const taken = await take()
        this.#taken.push(taken)
        return taken
      }
    }
  }

  get #descriptor(): number {
    return this.#cell.operation.direction === 'out' ? this.#made.writer : this.#made.reader
  }

  /** What is written in one piece has its own length. */
  #length(): number {
    const { kind, operation } = this.#cell
    if (operation.direction === 'out' && kind.payload !== undefined) return kind.payload.length / 2
    return kind.length
  }

  #subject(fd: number): Subject {
    const { kind, situation } = this.#cell
    return {
      fd,
      length: situation.length?.(kind) ?? this.#length(),
      payload: kind.payload,
      position: positionFor(this.#cell),
      path: this.#made.path ?? '',
      openFlags: (kind.openFlags ?? 0) | (kind.isNonblocking ? O_NONBLOCK : 0),
      aligned: kind.isAligned === true,
      async: situation.isAsync === true,
      timeout: situation.cancel === 'timeout' ? TIMEOUT_MILLISECONDS : undefined,
      seed: SEED,
      times: situation.times ?? 1,
    }
  }

  /** A process that makes the call, and has nothing of the other side. */
  async callActor(): Promise<CallActor> {
    const { kind } = this.#cell
    const { helper } = this.#place
    const calls = await (kind.session === undefined
      ? helper.fork(this.#world, 'actor')
      : forkInto(helper, this.#world, this.#made.reader, kind.session))
    this.#forked = calls
    const actor = await CallActor.on(calls)
    const fd = kind.session === undefined ? this.#descriptor : LAST_CHANNEL
    if (fd > FIRST_DESCRIPTOR) await actor.calls.must('close_range', FIRST_DESCRIPTOR, fd - 1, 0)
    await actor.calls.must('close_range', fd + 1, LAST_DESCRIPTOR, 0)
    if (this.#cell.situation.isTwice === true) {
      const [bits, limit] = [Buffer.alloc(8), Buffer.alloc(16)]
      bits.writeBigUInt64LE(1n << BigInt(SIGXFSZ - 1))
      limit.writeBigUInt64LE(BigInt(FILE_SIZE_LIMIT), 0)
      limit.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 8)
      await actor.calls.must('rt_sigprocmask', SIG_BLOCK, `i:${bits.toString('hex')}`, 0, 8)
      await actor.calls.must('prlimit64', 0, RLIMIT_FSIZE, `i:${limit.toString('hex')}`, 0)
    }
    return actor
  }

  /** Ends what may have outlived its parent. */
  end(): void {
    this.#forked?.kill()
  }

  async byCall(): Promise<void> {
    const actor = await this.callActor()
    await this.#run(
      actor,
      this.#subject(this.#cell.kind.session === undefined ? this.#descriptor : STDIN),
      true,
    )
  }

  /** A process of the ring that is to its terminal as a shell's child is. */
  async ringInSession(session: Session, place: RingPlace): Promise<RingActor> {
    const { helper } = this.#place
    const calls = await forkInto(helper, this.#world, this.#made.reader, session)
    this.#forked = calls
    await calls.must('close_range', FIRST_DESCRIPTOR, LAST_DESCRIPTOR, 0)
    return RingActor.become(calls, helper.actorStream, place)
  }

  async byRing(ring: RingActor, callWaited: boolean): Promise<void> {
    const { kind, situation } = this.#cell
    const inherited = kind.session === undefined ? undefined : STDIN
    if (inherited === undefined) await this.#world.ask('send', ring.address, this.#descriptor)
    const fileSize = situation.isTwice === true ? FILE_SIZE_LIMIT : undefined
    const fd = await ring.prepare({
      fileSize,
      blockSignal: kind.blockSignal,
      inherited,
      ignores: kind.session?.ignores,
      drainTimeout: kind.neverEnds === true ? SHORT_DRAIN_MILLISECONDS : DRAIN_MILLISECONDS,
      by: this.#place.by ?? 'ring',
      besideStdin: kind.session?.besideStdin,
    })
    const subject = this.#subject(fd)
    try {
      if (this.#cell.situation.isRace === true) await this.#race(ring, subject)
      else await this.#run(ring, subject, callWaited)
    } catch (error) {
      if (!(error instanceof Hung)) throw error
      const answers = await ring.look().catch(() => undefined)
      this.outcome.result = answers === undefined ? 'frozen' : 'never'
      ring.kill()
      return
    }
    const finished = await ring.finish().catch((error: unknown) => {
      ring.kill()
      if (!(error instanceof Hung)) throw error
      this.outcome.second = 'frozen at the end'
      return { gap: 0, held: 0, workers: 0, closers: 0 }
    })
    Object.assign(this.outcome, finished)
  }

  #context(actor: Actor): Context {
    return {
      world: this.#world,
      made: this.#made,
      kind: this.#cell.kind,
      operation: this.#cell.operation,
      actor,
    }
  }

  async #run(actor: Actor, subject: Subject, mayWait: boolean): Promise<void> {
    const { operation, situation } = this.#cell
    const context = this.#context(actor)
    await situation.before(context)
    if (situation.hasRival === true) await this.#rival(subject)
    if (operation.name === 'close') await this.#letGo()
    const first = await this.#once(context, subject, mayWait)
    this.outcome.result = first.result
    this.outcome.data = first.data
    if (situation.isTwice === true) {
      const count = Number(first.result) || 0
      const { didWait, milliseconds } = this.outcome
      const second = await this.#once(context, { ...subject, position: subject.position + count }, mayWait)
      this.outcome.second = second.result
      // A count that is short leaves the wait to the second time.
      this.outcome.didWait = didWait || this.outcome.didWait
      this.outcome.milliseconds = Math.max(milliseconds, this.outcome.milliseconds)
    }
    await this.#observe(context)
  }

  /** The other reader was there first. */
  async #rival(subject: Subject): Promise<void> {
    const rival = await CallActor.make(this.#place.helper, this.#world, 'rival')
    rival.begin(this.#cell.operation, { ...subject, fd: this.#descriptor }).catch(() => {})
    await inTime(rival.waits(), this.#place.limit, 'the other reader does not wait')
  }

  /** What closes is the last who has it. */
  async #letGo(): Promise<void> {
    const { reader, writer } = this.#made
    await this.#world.must('close', reader)
    if (writer !== reader) await this.#world.must('close', writer)
  }

  async #once(context: Context, subject: Subject, mayWait: boolean): Promise<Settled> {
    const { situation, operation } = this.#cell
    const { actor } = context
    const { limit } = this.#place
    let start = Date.now()
    const progress = { isSettled: false }
    const settling = actor.begin(operation, subject).finally(() => (progress.isSettled = true))
    settling.catch(() => {})
    let waits = await inTime(actor.waits(), limit, 'it neither waits nor ends')
    // Where the call does not wait, nothing is decided by how fast the ring is.
    if (!mayWait) {
      for (const end = Date.now() + limit; waits && Date.now() < end;) {
        await delay(STEP_MILLISECONDS)
        waits = !progress.isSettled
      }
    }
    this.outcome.didWait = waits
    if (waits && actor instanceof RingActor && !actor.isStopped) this.outcome.look = await actor.look()
    if (waits) {
      start = Date.now()
      const { event, cancel } = situation
      // The ring's timeout comes by itself.
      if (cancel !== undefined) {
        if (cancel !== 'timeout' || actor instanceof CallActor) {
          await inTime(actor.cancel(cancel), limit, 'the cancel does not end')
        }
      } else {
        const isRepeated = operation.direction === 'out' || situation.hasRival === true
        for (const end = Date.now() + limit; !progress.isSettled && Date.now() < end;) {
          if (!this.#hasHungUp) await event?.(context)
          if (!isRepeated) break
          await delay(STEP_MILLISECONDS)
        }
      }
    }
    const settled = await inTime(settling, limit, 'it does not end')
    this.outcome.milliseconds = settled.at - start
    return settled
  }

  async #observe(context: Context): Promise<void> {
    const { kind, operation, situation } = this.#cell
    const { outcome } = this
    const isClosed = operation.name === 'close'
    if (!isClosed) {
      const { result } = await this.#world.call('lseek', this.#descriptor, 0, SEEK_CUR)
      outcome.position = result < 0 ? 'none' : String(result)
      if (kind.isVolatile === true && operation.name !== 'fsync')
        outcome.position = result < 0 ? 'none' : 'some'
    }
    if (operation.direction === 'in' && operation.moves && !situation.hasRival) {
      // What was cancelled took nothing of what comes later.
      if (situation.cancel !== undefined) await this.#made.give?.(kind.length, context.actor.pid)
      outcome.next = (await this.#made.next?.()) ?? ''
    }
    const takesFromItself = this.#made.hangUp === undefined && !kind.isSeekable
    if ((operation.direction === 'out' && operation.moves) || (isClosed && !takesFromItself)) {
      if (situation.name === 'peer gone' || situation.name === 'hang-up' || situation.isTwice === true) {
        if (kind.hasPeer === true) return
      }
      await this.#made.take?.()
      outcome.taken = this.#takenAll()
    }
  }

  /** What the other side got of the operation: by its content, or, where it came in pieces, how much. */
  #takenAll(): string {
    const { kind } = this.#cell
    if (kind.keepsMessages === true) {
      const messages = this.#taken.flatMap((taken) => taken.split('+'))
      return messages.filter((message) => message !== '-' && !message.startsWith(FILLING)).join('+') || '-'
    }
    const [only = '-', ...more] = this.#taken
    if ((more.length === 0 && this.#filled === 0) || kind.payload !== undefined) return only
    const sum = [only, ...more].reduce((all, taken) => all + lengthOf(taken.split(' ')[0] ?? '-'), 0)
    return `${sum - this.#filled} bytes`
  }

  /** A cancel and bytes at once, again and again: they are in the result, or the next read finds them. */
  async #race(ring: RingActor, subject: Subject): Promise<void> {
    const { kind, operation } = this.#cell
    const context = this.#context(ring)
    const met = { completed: 0, cancelled: 0 }
    this.outcome.met = met
    this.outcome.didWait = true
    await this.#cell.situation.before(context)
    for (let race = 0; race < RACES; race += 1) {
      const settling = ring.begin(operation, subject)
      if (!(await ring.waits())) throw new Error('it does not wait')
      const steps = [async () => this.#made.give?.(kind.length, ring.pid), () => ring.cancel('cancel')]
      if (race % 2 === 1) steps.reverse()
      await Promise.all(steps.map((step) => step()))
      const { result, data } = await inTime(settling, this.#place.limit, 'it does not end')
      const next = (await this.#made.next?.()) ?? '-'
      const got = result === 'cancelled' ? 0 : kind.isVolatile === true ? 1 : lengthOf(data)
      const left = kind.isVolatile === true ? Number(next !== '-') : lengthOf(next)
      met[result === 'cancelled' ? 'cancelled' : 'completed'] += 1
      const all = kind.isVolatile === true ? 1 : kind.length
      if (got + left !== all) {
        this.outcome.result = `${got} read and ${left} left of ${all}`
        return
      }
    }
    this.outcome.result = 'nothing lost'
  }
}

/** What was made and outlives the processes of a cell. */
export function remove(made: Made | undefined): void {
  for (const path of made?.mounts ?? []) {
    execFileSync('umount', ['-l', path])
    rmdirSync(path)
  }
  for (const path of made?.files ?? []) rmSync(path, { force: true, recursive: true })
}

async function perform(
  cell: Cell,
  place: Workplace,
  how: (it: Performance) => Promise<void>,
): Promise<Outcome> {
  const { helper, places } = place
  const world = await helper.world()
  let made: Made | undefined
  try {
    made = await cell.kind.make(world, places, cell.kind.isNonblocking)
    const performance = new Performance(cell, place, world, made)
    try {
      await how(performance)
      performance.end()
    } catch (error) {
      if (!(error instanceof Hung)) throw error
      // What was seen up to here is all there is.
      performance.outcome.result = 'never'
      performance.end()
    }
    return performance.outcome
  } finally {
    await helper.end(world)
    remove(made)
  }
}

/** The cell by a plain system call. */
export function performByCall(cell: Cell, place: Workplace): Promise<Outcome> {
  if (cell.situation.isRace === true) {
    // What the ring has to come to: no system call is cancelled as it completes without losing what it had.
    return Promise.resolve({ ...emptyOutcome(), result: 'nothing lost', didWait: true })
  }
  return perform(cell, place, (it) => it.byCall())
}

/** The cell by the ring; `callWaited` is what the system call did. */
export function performByRing(
  cell: Cell,
  place: Workplace,
  ring: RingActor,
  callWaited: boolean,
): Promise<Outcome> {
  return perform(cell, place, (it) => it.byRing(ring, callWaited))
}

/** The same by a process of its own, which has the terminal that controls it. */
export function performInSession(
  cell: Cell,
  place: Workplace,
  ringPlace: RingPlace,
  session: Session,
  callWaited: boolean,
): Promise<Outcome> {
  return perform(cell, place, async (it) => {
    const ring = await it.ringInSession(session, ringPlace)
    await it.byRing(ring, callWaited)
    ring.kill()
  })
}

/** Who does a cell's operation: a process that makes the system call, or the process of the ring. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

import { type Calls, channelOf, errnoName, type Helper, Hung } from './calls.js'
import { eachLine } from './lines.js'
import { nth, together } from './many.js'
import type { CancelWay, Finished, Look, Request, Settled } from './messages.js'
import type { Operation, Subject } from './operations.js'
import { patient } from './patience.js'

/** How often a process is asked whether it sleeps by now. */
const LOOK_MILLISECONDS = 2
/** So often in a row it has to sleep at the same place: a call that moves bytes may sleep for a moment. */
const LOOKS = 3
/** So often it may be seen to sleep where no signal wakes it. */
const DISK_LOOKS = 500
/** What a ring's operation has not done by then, it waits for. Where the call did not wait, nothing is decided by time. */
const WAITS_AFTER_MILLISECONDS = patient(20)
/** SIGUSR1 and SIGRTMIN + 6, on all processors that Linux has Node for. */
const SIGUSR1 = 10
export const SIGNALFD_SIGNAL = 40

export interface Actor {
  /** Of whom a signal has to be sent to. */
  readonly pid: number
  begin: (operation: Operation, subject: Subject) => Promise<Settled>
  /** Resolves to whether the operation waits; it has settled, otherwise. */
  waits: () => Promise<boolean>
  cancel: (way: CancelWay) => Promise<void>
}

/** A process that makes system calls. */
export class CallActor implements Actor {
  readonly #calls: Calls
  readonly #channel: number
  #settled: Settled | undefined
  #diskLooks = 0
  /** Why the call could not even be made. */
  #refusal: unknown

  private constructor(calls: Calls, who: 'actor' | 'rival') {
    this.#calls = calls
    this.#channel = channelOf(who)
  }

  static async make(helper: Helper, world: Calls, who: 'actor' | 'rival'): Promise<CallActor> {
    return CallActor.on(await helper.fork(world, who), who)
  }

  static async on(calls: Calls, who: 'actor' | 'rival' = 'actor'): Promise<CallActor> {
    await calls.ask('handle', SIGUSR1)
    return new CallActor(calls, who)
  }

  get pid(): number {
    return this.#calls.pid
  }

  get calls(): Calls {
    return this.#calls
  }

  async begin(operation: Operation, subject: Subject): Promise<Settled> {
    this.#settled = undefined
    this.#diskLooks = 0
    this.#refusal = undefined
    const all: Settled[] = []
    while (all.length < subject.times) all.push(await this.#one(operation, nth(subject, all.length)))
    const [first] = all
    this.#settled = subject.times === 1 && first !== undefined ? first : together(all)
    return this.#settled
  }

  async #one(operation: Operation, subject: Subject): Promise<Settled> {
    const [name, ...words] = operation.call(subject)
    const { result, errno, outs } = await this.#calls.call(name, ...words).catch((error: unknown) => {
      this.#refusal = error
      throw error
    })
    const at = Date.now()
    const failed = result < 0
    let text = failed ? errnoName(errno) : String(result)
    if (!failed && name === 'ppoll') text = String(Buffer.from(outs[0] ?? '', 'hex').readInt16LE(6))
    if (!failed && name === 'openat') text = '0'
    const hasData = operation.moves && operation.direction === 'in' && !failed
    return { result: text, data: hasData ? (outs[0] ?? '-') : '-', at }
  }

  async waits(): Promise<boolean> {
    let place = ''
    let looks = 0
    while (this.#settled === undefined) {
      if (this.#refusal !== undefined) throw this.#refusal
      const now = this.#sleepsAt()
      looks = now !== '' && now === place ? looks + 1 : 0
      place = now
      if (looks >= LOOKS) return true
      await delay(LOOK_MILLISECONDS)
    }
    return false
  }

  /** Where the process sleeps, if not on its channel. */
  #sleepsAt(): string {
    const line = readFileSync(`/proc/${this.pid}/syscall`, 'utf8')
    const isOnChannel = line.split(' ')[1] === `0x${this.#channel.toString(16)}`
    if (line.startsWith('running') || isOnChannel) return ''
    // What sleeps uninterruptibly waits for a disk, which is no waiting: unless it takes longer than disks do.
    const [, state = ''] = /\) (\S)/.exec(readFileSync(`/proc/${this.pid}/stat`, 'utf8')) ?? []
    if (state === 'S' || state === 'T') return `${line} ${state}`
    this.#diskLooks += 1
    return this.#diskLooks > DISK_LOOKS ? line : ''
  }

  /** Interrupts the call, again if the signal came before it. */
  async cancel(): Promise<void> {
    while (this.#settled === undefined) {
      process.kill(this.pid, SIGUSR1)
      await delay(LOOK_MILLISECONDS * 5)
    }
  }
}

export interface RingPlace {
  /** The directory of the built package. */
  home: string
  /** The program of the process, without types. */
  program: string
  addon: string
}

/** How many milliseconds the process of the ring may take to answer what it can always answer. */
const ANSWERS_WITHIN_MILLISECONDS = patient(2500)
/** How long its start may take. */
const STARTS_WITHIN_MILLISECONDS = patient(30_000)

/** The command of a process of the ring; its channel is the descriptor of this number. */
export function ringCommand({ home, program, addon }: RingPlace, channel: number): string[] {
  return [process.execPath, program, addon, home, String(channel)]
}

/** The process of the ring, as an actor for one cell after the other. */
export class RingActor implements Actor {
  readonly pid: number
  readonly #stream: Duplex
  readonly #kill: () => void
  #stopListening: () => void
  readonly #answers = new Map<number, (message: { answer?: unknown; error?: string }) => void>()
  readonly #ready: Promise<void>
  #last = 0
  #settle: ((settled: Settled) => void) | undefined
  #isSettled = false
  isDead = false

  private constructor(pid: number, stream: Duplex, kill: () => void) {
    this.pid = pid
    this.#stream = stream
    this.#kill = kill
    this.#stopListening = () => {}
    let ready: (() => void) | undefined
    this.#ready = new Promise((resolve) => (ready = resolve))
    stream.on('close', () => (this.isDead = true))
    this.#stopListening = eachLine(stream, (line) => {
      // What a process said before it became this one.
      if (!line.startsWith('{')) return
      const message = JSON.parse(line) as {
        id?: number
        ready?: boolean
        settled?: Settled
        answer?: unknown
        error?: string
      }
      if (message.ready === true) ready?.()
      if (message.settled !== undefined) {
        this.#isSettled = true
        this.#settle?.(message.settled)
      }
      if (message.id !== undefined) this.#answers.get(message.id)?.(message)
    })
  }

  static spawn(place: RingPlace): RingActor {
    const [node = '', ...args] = ringCommand(place, 3)
    const child: ChildProcess = spawn(node, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    })
    return new RingActor(child.pid ?? -1, child.stdio[3] as Duplex, () => child.kill('SIGKILL'))
  }

  /** What an actor's process becomes, whose channel this is. */
  static async become(calls: Calls, stream: Duplex, place: RingPlace): Promise<RingActor> {
    const words = ringCommand(place, channelOf('actor')).map((word) => Buffer.from(word).toString('hex'))
    const ring = new RingActor(calls.pid, stream, () => calls.kill())
    const refusal = calls.ask('exec', ...words).then(({ errno }) => {
      throw new Error(`exec: ${errnoName(errno)}`)
    })
    refusal.catch(() => {})
    await Promise.race([ring.ready(), refusal])
    return ring
  }

  async ready(): Promise<void> {
    await inTime(this.#ready, STARTS_WITHIN_MILLISECONDS, 'the process of the ring does not start')
  }

  async #request<T>(request: Request): Promise<T> {
    this.#last += 1
    const id = this.#last
    const answer = new Promise<T>((resolve, reject) => {
      this.#answers.set(id, ({ answer: value, error }) => {
        this.#answers.delete(id)
        if (error === undefined) resolve(value as T)
        else reject(new Error(error))
      })
    })
    this.#stream.write(`${JSON.stringify({ id, ...request })}\n`)
    return inTime(answer, ANSWERS_WITHIN_MILLISECONDS, `the event loop is held: no answer to ${request.do}`)
  }

  /** Takes what was sent to it. */
  async prepare(details: Omit<Request & { do: 'prepare' }, 'do'>): Promise<number> {
    this.#isSettled = false
    const { fd } = await this.#request<{ fd: number }>({ do: 'prepare', ...details })
    return fd
  }

  get address(): string {
    return Buffer.from(`kinds-${this.pid}`).toString('hex')
  }

  begin(operation: Operation, subject: Subject): Promise<Settled> {
    this.#isSettled = false
    const settled = new Promise<Settled>((resolve, reject) => {
      this.#settle = resolve
      this.#request({ do: 'begin', operation: operation.name, subject }).catch(reject)
    })
    settled.catch(() => {})
    return settled
  }

  async waits(): Promise<boolean> {
    const start = performance.now()
    while (!this.#isSettled) {
      await delay(LOOK_MILLISECONDS)
      if (performance.now() - start < WAITS_AFTER_MILLISECONDS) continue
      if (this.isStopped) return true
      const { inFlight } = await this.look()
      return inFlight > 0 && !this.#isSettled
    }
    return false
  }

  /** Whether a signal of its terminal has stopped the process. */
  get isStopped(): boolean {
    return /\) T/.test(readFileSync(`/proc/${this.pid}/stat`, 'utf8'))
  }

  look(): Promise<Look> {
    return this.#request({ do: 'look' })
  }

  async cancel(way: CancelWay): Promise<void> {
    await this.#request({ do: 'cancel', way })
  }

  finish(): Promise<Finished> {
    return this.#request({ do: 'finish' })
  }

  kill(): void {
    this.isDead = true
    this.#stopListening()
    this.#kill()
  }
}

export async function inTime<T>(promise: Promise<T>, milliseconds: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Hung(what)), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

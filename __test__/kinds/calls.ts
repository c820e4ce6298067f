/** Plain system calls in processes of crates/kinds: a world where a cell's descriptors are made, and actors that call. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { getSystemErrorName } from 'node:util'

import { eachLine } from './lines.js'
import { patient } from './patience.js'

/** What came of a call: `errno` is 0 for none, `outs` is what it wrote into memory. */
export interface Answer {
  result: number
  errno: number
  outs: string[]
}

/** Words of a call: numbers, and memory as crates/kinds/src/words.rs has it. */
export type Word = number | bigint | string

/** A process that hangs in what it was not expected to hang in, or that is gone. */
export class Hung extends Error {}

/** After that nothing comes that is only preparation: a machine that is that slow has other troubles. */
const PATIENCE_MILLISECONDS = patient(20_000)

/** More than that of a call's arguments tells nobody anything. */
const LONGEST_WORDS = 120

export function errnoName(errno: number): string {
  return errno === 0 ? '0' : getSystemErrorName(-errno)
}

/** One process's socket. Requests are answered in their order; what a process that was killed left is skipped. */
export class Channel {
  readonly #stream: Duplex
  readonly #waiting = new Map<number, (answer: string) => void>()
  #last = 0

  constructor(stream: Duplex) {
    this.#stream = stream
    eachLine(stream, (line) => {
      const [id = '', ...words] = line.split(' ')
      this.#waiting.get(Number(id))?.(words.join(' '))
      this.#waiting.delete(Number(id))
    })
  }

  request(words: string): Promise<Answer> {
    this.#last += 1
    const id = this.#last
    this.#stream.write(`${id} ${words}\n`)
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (line) => {
        if (line.startsWith('!')) return reject(new Error(`${words}: ${line.slice(2)}`))
        const [result, errno, ...outs] = line.split(' ')
        return resolve({ result: Number(result), errno: Number(errno), outs })
      })
    })
  }
}

/** A process of crates/kinds. */
export class Calls {
  readonly pid: number
  readonly #channel: Channel

  constructor(pid: number, channel: Channel) {
    this.pid = pid
    this.#channel = channel
  }

  /** Makes a call, which may take for ever. */
  call(name: string, ...words: Word[]): Promise<Answer> {
    return this.#channel.request(['call', name, ...words].join(' '))
  }

  /** Asks for something that does not wait. */
  ask(verb: string, ...words: Word[]): Promise<Answer> {
    return within(this.#channel.request([verb, ...words].join(' ')), `${verb} ${words.join(' ')}`)
  }

  /** Makes a call that does not wait, and has to succeed. */
  async must(name: string, ...words: Word[]): Promise<number> {
    return (await this.mustAnswer(name, ...words)).result
  }

  /** The same, where what it wrote into memory matters. */
  async mustAnswer(name: string, ...words: Word[]): Promise<Answer> {
    const answer = await within(this.call(name, ...words), `${name} ${words.join(' ')}`)
    if (answer.result < 0)
      throw new Error(`${name}(${words.join(', ').slice(0, LONGEST_WORDS)}): ${errnoName(answer.errno)}`)
    return answer
  }

  kill(): void {
    try {
      process.kill(this.pid, 'SIGKILL')
    } catch {
      // It is gone already.
    }
  }
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Hung(`hangs: ${what}`)), PATIENCE_MILLISECONDS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Where the processes find their channels: behind the standard streams. */
const CHANNELS = { root: 3, world: 4, actor: 5, rival: 6 } as const

/** The number of an actor's own channel, on which it sleeps when it has nothing to do. */
export function channelOf(who: 'actor' | 'rival'): number {
  return CHANNELS[who]
}

/** The first process, from which a world is forked for each cell: what the cell opened goes with it. */
export class Helper {
  readonly #child: ChildProcess
  readonly #root: Calls
  readonly #channels: Record<keyof typeof CHANNELS, Channel>
  /** The actor's channel, which another program can have when the process becomes one. */
  readonly actorStream: Duplex

  constructor(program: string) {
    const stdio = [
      'ignore',
      'inherit',
      'inherit',
      ...Object.keys(CHANNELS).map(() => 'pipe' as const),
    ] as const
    this.#child = spawn(program, [String(CHANNELS.root)], { stdio: [...stdio] })
    const streams: readonly unknown[] = this.#child.stdio
    const channel = (index: number) => new Channel(streams[index] as Duplex)
    this.#channels = {
      root: channel(CHANNELS.root),
      world: channel(CHANNELS.world),
      actor: channel(CHANNELS.actor),
      rival: channel(CHANNELS.rival),
    }
    this.actorStream = streams[CHANNELS.actor] as Duplex
    this.actorStream.setMaxListeners(0)
    this.#root = new Calls(this.#child.pid ?? -1, this.#channels.root)
  }

  /** A process for one cell. */
  world(): Promise<Calls> {
    return this.fork(this.#root, 'world')
  }

  /** A process with the descriptors that another has by now. */
  async fork(parent: Calls, who: 'world' | 'actor' | 'rival'): Promise<Calls> {
    const { result } = await parent.ask('fork', CHANNELS[who])
    return new Calls(result, this.#channels[who])
  }

  /** Ends a world and what was forked from it, and waits for that: what it had open is closed by then. */
  async end(world: Calls): Promise<void> {
    world.kill()
    await this.#root.ask('call', 'wait4', world.pid, 0, 0, 0)
  }

  destroy(): void {
    this.#child.kill('SIGKILL')
  }
}

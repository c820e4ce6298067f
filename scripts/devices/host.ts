/** What the guest asks of the host, a line each, while its rows run. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { Channel, connectTo } from './channels.js'
import { CHANNELS, type ChannelName, CONTROL, MONITOR } from './machine.js'
import { Monitor } from './qmp.js'

/** Serves one guest. */
export class Host {
  readonly #directory: string
  readonly #monitor = new Monitor()
  readonly #channels: ReadonlyMap<string, Channel>
  #rescue: { timer: NodeJS.Timeout; hasCome: boolean } | undefined
  readonly #stopped = new AbortController()

  constructor(directory: string) {
    this.#directory = directory
    this.#channels = new Map(CHANNELS.map((name) => [name, new Channel(join(directory, name))]))
  }

  /** Connects to everything once QEMU is there, and answers from then on. */
  async serve(): Promise<void> {
    await Promise.all([
      this.#monitor.connect(join(this.#directory, MONITOR)),
      ...[...this.#channels.values()].map((channel) => channel.connect()),
    ])
    let text = ''
    let turn = Promise.resolve()
    const socket = await connectTo(join(this.#directory, CONTROL), (piece) => {
      text += piece.toString()
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        turn = turn.then(async () => {
          socket.write(`${await this.#answer(line)}\n`)
        })
      }
      return true
    })
  }

  stop(): void {
    this.#stopped.abort()
    clearTimeout(this.#rescue?.timer)
    for (const channel of this.#channels.values()) channel.disconnect()
  }

  async #answer(line: string): Promise<string> {
    try {
      return `ok ${await this.#perform(line)}`.trim()
    } catch (error) {
      return `error ${line}: ${error instanceof Error ? error.message : String(error)}`.replaceAll('\n', ' ')
    }
  }

  async #perform(line: string): Promise<string> {
    const [command, ...words] = line.split(' ')
    const [first = '', second = ''] = words
    switch (command) {
      case 'send':
        this.#channel(first).send(Buffer.from(second, 'hex'))
        return ''
      case 'hold':
        this.#channel(first).hold()
        return ''
      case 'drain':
        this.#channel(first).drain(second === '' ? undefined : Number(second))
        return ''
      case 'received': {
        const { count, isIntact } = await this.#channel(first).received(Number(second))
        return `${count} ${isIntact ? 'intact' : 'damaged'}`
      }
      case 'connect':
        await this.#channel(first).connect()
        return ''
      case 'disconnect':
        this.#channel(first).disconnect()
        return ''
      case 'monitor':
        return await this.#monitor.run(words.join(' '))
      case 'later':
        this.#later(Number(first), words.slice(1).join(' '))
        return ''
      case 'rescue':
        this.#setRescue(Number(first), words.slice(1).join(' '))
        return ''
      case 'rescued':
        clearTimeout(this.#rescue?.timer)
        return this.#rescue?.hasCome === true ? 'yes' : 'no'
      default:
        throw new Error('no such command')
    }
  }

  #channel(name: string): Channel {
    const channel = this.#channels.get(name as ChannelName)
    if (channel === undefined) throw new Error(`no channel ${name}`)
    return channel
  }

  #later(milliseconds: number, command: string): void {
    const { signal } = this.#stopped
    delay(milliseconds, undefined, { signal })
      .then(() => this.#perform(command))
      // The guest is gone, or says itself what it misses.
      .catch(() => {})
  }

  /** What frees the guest if nothing else does: `rescued` says whether it had to. */
  #setRescue(milliseconds: number, command: string): void {
    clearTimeout(this.#rescue?.timer)
    const rescue = {
      hasCome: false,
      timer: setTimeout(() => {
        rescue.hasCome = true
        this.#perform(command).catch(() => {})
      }, milliseconds),
    }
    this.#rescue = rescue
  }
}

/** What the guest asks of the host, a line each, while its rows run. */
import { join } from 'node:path'

import { Channel, connectTo } from './channels.js'
import { CHANNELS, CONTROL, MONITOR } from './machine.js'
import { Monitor } from './qmp.js'
import { Rescue } from './rescue.js'

/** Serves one guest. */
export class Host {
  readonly #directory: string
  readonly #monitor = new Monitor()
  readonly #channels: ReadonlyMap<string, Channel>
  readonly #rescue = new Rescue()

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
    let turn = Promise.resolve(true)
    const socket = await connectTo(join(this.#directory, CONTROL), (piece) => {
      text += piece.toString()
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        turn = turn.then(async () => socket.write(`${await this.#answer(line)}\n`))
      }
      return true
    })
  }

  stop(): void {
    this.#rescue.ask()
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
      case 'received':
        return await this.#channel(first).arrivals.received(Number(second))
      case 'connect':
        await this.#channel(first).connect()
        return ''
      case 'disconnect':
        this.#channel(first).disconnect()
        return ''
      case 'monitor':
        return await this.#monitor.run(words.join(' '))
      case 'rescue':
        this.#rescue.set(Number(first), () => this.#perform(words.slice(1).join(' ')))
        return ''
      case 'rescued':
        return this.#rescue.ask()
      case undefined:
      default:
        throw new Error('no such command')
    }
  }

  #channel(name: string): Channel {
    const channel = this.#channels.get(name)
    if (channel === undefined) throw new Error(`no channel ${name}`)
    return channel
  }
}

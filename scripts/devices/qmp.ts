/** QEMU's monitor, by the lines of QMP. */
import { connectTo } from './channels.js'

interface Reply {
  return?: unknown
  error?: { desc: string }
}

/** Runs commands of the human monitor one after the other. */
export class Monitor {
  #send: (line: string) => void = () => {}
  #text = ''
  #waiting: ((reply: Reply) => void)[] = []
  #turn: Promise<unknown> = Promise.resolve()

  async connect(path: string): Promise<void> {
    const socket = await connectTo(path, (piece) => {
      this.#take(piece.toString())
      return true
    })
    this.#send = (line) => socket.write(line)
    await this.#ask({ execute: 'qmp_capabilities' })
  }

  /** What the command printed. */
  async run(command: string): Promise<string> {
    const turn = this.#turn.then(() =>
      this.#ask({ execute: 'human-monitor-command', arguments: { 'command-line': command } }),
    )
    this.#turn = turn.catch(() => {})
    return String(await turn)
      .replaceAll(/\s+/g, ' ')
      .trim()
  }

  async #ask(command: object): Promise<unknown> {
    const reply = await new Promise<Reply>((resolve) => {
      this.#waiting.push(resolve)
      this.#send(`${JSON.stringify(command)}\n`)
    })
    if (reply.error !== undefined) throw new Error(reply.error.desc)
    return reply.return
  }

  #take(text: string): void {
    this.#text += text
    const lines = this.#text.split('\n')
    this.#text = lines.pop() ?? ''
    for (const line of lines) {
      const reply = JSON.parse(line) as Reply
      // The greeting and events are neither.
      if ('return' in reply || 'error' in reply) this.#waiting.shift()?.(reply)
    }
  }
}

/** The guest's end of the channel by which it asks the host for things. */
import { readdirSync, readFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

const PORTS = '/sys/class/virtio-ports'

/** The device of the port with that name; undefined if there is none. */
export function portNamed(name: string): string | undefined {
  const port = readdirSync(PORTS).find(
    (entry) => readFileSync(`${PORTS}/${entry}/name`, 'utf8').trim() === name,
  )
  return port && `/dev/${port}`
}

export class Control {
  readonly #port: FileHandle
  #text = ''
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(port: FileHandle) {
    this.#port = port
  }

  static async connect(name: string): Promise<Control> {
    const path = portNamed(name)
    if (path === undefined) throw new Error(`there is no port ${name}`)
    return new Control(await open(path, 'r+'))
  }

  /** One line each, answered in turn. */
  ask(line: string): Promise<string> {
    const turn = this.#turn.then(() => this.#exchange(line))
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #exchange(line: string): Promise<string> {
    await this.#port.write(`${line}\n`)
    while (!this.#text.includes('\n')) {
      const { bytesRead, buffer } = await this.#port.read(Buffer.alloc(4096), 0, 4096, null)
      this.#text += buffer.toString('latin1', 0, bytesRead)
    }
    const end = this.#text.indexOf('\n')
    const answer = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 1)
    if (!answer.startsWith('ok')) throw new Error(`the host: ${answer}`)
    return answer.slice('ok '.length)
  }
}

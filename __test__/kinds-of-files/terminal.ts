/** Pseudo-terminals: one end is the test's, the other a program's (crates/sandbox, `terminal`) that does as it is told. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, openSync } from 'node:fs'
import { createInterface } from 'node:readline'

import type { ExecutionContext } from 'ava'

import { closeAfter } from '../helpers.js'
import { sandboxProgram } from '../silent-fuse.js'

const { O_NOCTTY, O_RDWR } = constants

export interface TerminalOptions {
  /** Bytes as they are, without lines. */
  raw?: boolean
  /** VMIN: how many bytes a read waits for. Implies `raw`. */
  min?: number
  /** VTIME, in tenths of a second. Implies `raw`. */
  time?: number
  /** Flags of the test's end, beside O_RDWR and O_NOCTTY. */
  flags?: number
}

/** The end that the program holds. Each call resolves when it has done it, or begun to wait for it. */
export class OtherEnd {
  readonly #answers: AsyncIterator<string>
  readonly #child

  constructor(t: ExecutionContext, options: TerminalOptions, given?: number) {
    const { raw = false, min, time } = options
    const args = [
      ...(raw || min !== undefined || time !== undefined ? ['--raw'] : []),
      ...(min === undefined ? [] : ['--min', String(min)]),
      ...(time === undefined ? [] : ['--time', String(time)]),
      ...(given === undefined ? [] : ['--given', '3']),
    ]
    const stdio: ('pipe' | 'inherit' | number)[] = ['pipe', 'pipe', 'inherit']
    if (given !== undefined) stdio.push(given)
    const child = spawn(sandboxProgram('terminal'), args, { stdio })
    if (child.stdin === null || child.stdout === null) throw new Error('it has no pipes')
    this.#child = { stdin: child.stdin, exit: once(child, 'exit') }
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    t.teardown(() => this.end())
  }

  async line(): Promise<string> {
    const next = await this.#answers.next()
    if (next.done === true) throw new Error('the other end of the terminal is gone')
    return next.value
  }

  async #tell(command: string): Promise<string> {
    this.#child.stdin.write(`${command}\n`)
    return this.line()
  }

  write(text: string): Promise<string> {
    return this.#tell(`write ${text}`)
  }

  /** Reads, for ever, from so many milliseconds on. */
  drain(milliseconds = 0): Promise<string> {
    return this.#tell(`drain ${milliseconds}`)
  }

  async drained(): Promise<number> {
    return Number(await this.#tell('drained'))
  }

  hangUp(milliseconds = 0): Promise<string> {
    return this.#tell(`hangup ${milliseconds}`)
  }

  /** Reads the slave beside the test, until it has got so many bytes. */
  rival(bytes: number): Promise<string> {
    return this.#tell(`rival ${bytes}`)
  }

  async rivalled(): Promise<number> {
    return Number(await this.#tell('rivalled'))
  }

  /** Writes a byte whenever it was told nothing for so many milliseconds: whoever should tell it something waits for one. */
  watch(milliseconds: number): Promise<string> {
    return this.#tell(`watchdog ${milliseconds}`)
  }

  async barked(): Promise<number> {
    return Number(await this.#tell('barked'))
  }

  async end(): Promise<void> {
    this.#child.stdin.end()
    await this.#child.exit
  }
}

export interface Terminal {
  /** The test's end. */
  fd: number
  /** Where the slave is. */
  path: string
  other: OtherEnd
}

/** The test has the slave, the program the master. The descriptor goes with the test. */
export async function slaveFor(t: ExecutionContext, options: TerminalOptions = {}): Promise<Terminal> {
  const other = new OtherEnd(t, options)
  const path = await other.line()
  const fd = openSync(path, O_RDWR | O_NOCTTY | (options.flags ?? 0))
  closeAfter(t, fd)
  return { fd, path, other }
}

/** The test has the master, the program the slave. */
export async function masterFor(t: ExecutionContext, options: TerminalOptions = {}): Promise<Terminal> {
  const fd = openSync('/dev/ptmx', O_RDWR | O_NOCTTY | (options.flags ?? 0))
  const other = new OtherEnd(t, options, fd)
  const path = await other.line()
  closeAfter(t, fd)
  return { fd, path, other }
}

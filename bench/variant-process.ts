/** A variant's process, which stays for all rounds and blocks on stdin between them. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

import { lastLines } from './command.js'
import { ROOT } from './paths.js'
import type { Failure, Hello, SliceAnswer, SliceRequest } from './protocol.js'

/** It did not answer in time, and was killed. */
export class Hangs extends Error {
  constructor(seconds: number) {
    super(`hangs (no answer for ${seconds} s)`)
  }
}

/** Seconds: no slice takes as long, not even on a busy machine. */
const PATIENCE = 60

export class VariantProcess {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #patience: number
  readonly #lines: string[] = []
  #wake: () => void = () => {}
  #errors = ''
  #ended: string | undefined

  private constructor([program = '', ...args]: string[], patience: number) {
    this.#patience = patience
    this.#child = spawn(program, args, { cwd: ROOT, env: { ...process.env, DENO_NO_UPDATE_CHECK: '1' } })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#errors += text))
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#lines.push(line)
      this.#wake()
    })
    const end = (why: string) => {
      this.#ended ??= lastLines(this.#errors) || why
      this.#wake()
    }
    this.#child.on('error', (error) => end(error.message))
    this.#child.on('close', (status, signal) => end(`ended with ${signal ?? `status ${status}`}`))
    // Writing to one that has ended is told by its end.
    this.#child.stdin.on('error', () => {})
  }

  /** Starts one, and waits until it is ready. Rejects with why it is not. */
  static async start(command: string[], patience = PATIENCE): Promise<VariantProcess> {
    const started = new VariantProcess(command, patience)
    await started.#answer<Hello>(PATIENCE)
    return started
  }

  /** Runs a slice. */
  async ask(request: SliceRequest): Promise<SliceAnswer> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`)
    return this.#answer<SliceAnswer>(this.#patience)
  }

  async #answer<T extends object>(patience: number): Promise<T> {
    const deadline = Date.now() + patience * 1000
    while (this.#lines.length === 0) {
      if (this.#ended !== undefined) throw new Error(this.#ended)
      const left = deadline - Date.now()
      if (left <= 0) {
        this.kill()
        throw new Hangs(patience)
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    const answer = JSON.parse(this.#lines.shift() ?? '{}') as T | Failure
    if ('error' in answer) throw new Error(answer.error)
    return answer
  }

  /** Ends it. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** A shell that is there already: to start a process takes an emulated machine longer than what is measured. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const END = '@end'

export class Shell {
  readonly #child = spawn('/bin/sh', [], { stdio: ['pipe', 'pipe', 'inherit'] })
  readonly #waiting: ((output: string, status: number) => void)[] = []
  #lines: string[] = []

  constructor() {
    createInterface(this.#child.stdout).on('line', (line) => {
      if (!line.startsWith(END)) {
        this.#lines.push(line)
        return
      }
      const output = this.#lines.join('\n')
      this.#lines = []
      this.#waiting.shift()?.(output, Number(line.slice(END.length)))
    })
  }

  /** Runs a script in a shell of its own, behind those that were asked for before; gives what it printed. */
  run(script: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push((output, status) => {
        if (status === 0) resolve(output.trim())
        else reject(new Error(`the shell ended with ${status}: ${script}`))
      })
      // A program that reads would take the scripts that follow.
      this.#child.stdin.write(`( ${script}\n) </dev/null; status=$?; echo; echo "${END} $status"\n`)
    })
  }
}

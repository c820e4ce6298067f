/** Running the programs of the host. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'

import { Missing } from './failure.js'

export interface Output {
  status: number | null
  stdout: string
  stderr: string
}

export interface CommandOptions {
  cwd?: string
  input?: string
  env?: NodeJS.ProcessEnv
  /** Nothing of this process's environment but `env`. */
  onlyEnv?: boolean
  /** After that it hangs, and is killed: its status is null. */
  limitSeconds?: number
}

/** Runs a program to its end. */
export async function run(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Output> {
  const { cwd, input = '', env, onlyEnv = false, limitSeconds } = options
  const child = spawn(program, args, {
    cwd,
    stdio: 'pipe',
    // In any other language the messages would mean nothing to those who read them here.
    env: { ...(onlyEnv ? {} : process.env), LC_ALL: 'C', ...env },
    ...(limitSeconds !== undefined && { timeout: limitSeconds * 1000, killSignal: 'SIGKILL' as const }),
  })
  // A program that ends without reading it all says so by its status.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [[status], stdout, stderr] = await Promise.all([
    once(child, 'close') as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ])
  return { status, stdout, stderr }
}

/** The same, for what must succeed: its stdout. */
export async function mustRun(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, options)
  if (status !== 0) {
    throw new Error(
      `${[program, ...args].join(' ')}: ended with ${status}\n${(stderr.trim() || stdout.trim()).slice(-4000)}`,
    )
  }
  return stdout
}

/** Fails where a program is not installed. */
export function demand(program: string, debianPackage: string): void {
  const found = (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  if (!found) throw new Missing(`${program} is missing: apt-get install ${debianPackage}`)
}

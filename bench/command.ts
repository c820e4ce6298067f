/** Runs a command to its end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { ROOT } from './paths.js'

export interface Ended {
  stdout: string
  /** Why it did not succeed; empty if it did. */
  error: string
}

/** Where a command runs, if not in the repository with this process's environment. */
export interface Place {
  cwd?: string
  env?: NodeJS.ProcessEnv
}

/** What it printed, and how it ended. Never rejects. */
export async function spawnForOutput(
  command: string,
  args: string[],
  input = '',
  place: Place = {},
): Promise<Ended> {
  const child = spawn(command, args, { cwd: ROOT, ...place, stdio: 'pipe' })
  // One that does not read its stdin may be gone.
  child.stdin.on('error', () => {}).end(input)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  try {
    const [status, signal] = await once(child, 'close')
    if (status === 0) return { stdout, error: '' }
    return { stdout, error: lastLines(stderr) || `ended with ${signal ?? `status ${status}`}` }
  } catch (error) {
    return { stdout, error: String(error) }
  }
}

/** Its stdout; an Error unless it succeeds. */
export async function output(
  command: string,
  args: string[],
  input = '',
  place: Place = {},
): Promise<string> {
  const { stdout, error } = await spawnForOutput(command, args, input, place)
  if (error !== '') throw new Error(`${command}: ${error}`)
  return stdout
}

/** What a program said last before it failed. */
export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' / ')
}

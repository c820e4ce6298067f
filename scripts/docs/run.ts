/** Runs a command to its end, with its output on this terminal; tells whether it exited with 0. */
import { spawnSync } from 'node:child_process'

export function run(command: string, args: string[], env: Record<string, string> = {}): boolean {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  if (error !== undefined) console.error(`${command}: ${error.message}`)
  return status === 0
}

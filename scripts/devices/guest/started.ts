/** Processes that rows start, line by line. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

import type { Started } from '../row.js'

const running = new Set<ChildProcess>()

/** Starts a program whose lines are read. */
export function start(program: string, ...args: string[]): Started {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  running.add(child)
  const lines: string[] = []
  const waiting: ((line: string) => void)[] = []
  let hasEnded = false
  createInterface(child.stdout).on('line', (line) => {
    const next = waiting.shift()
    if (next === undefined) lines.push(line)
    else next(line)
  })
  // Who was killed reads nothing more.
  child.stdin.on('error', () => {})
  const ended = once(child, 'close').then(([status]) => {
    hasEnded = true
    running.delete(child)
    for (const wake of waiting) wake('')
    return status as number | null
  })
  return {
    ended,
    pid: child.pid ?? -1,
    send: (text) => void child.stdin.write(text, 'latin1'),
    line: () => {
      const line = lines.shift()
      if (line !== undefined) return Promise.resolve(line)
      return hasEnded ? Promise.resolve('') : new Promise((resolve) => waiting.push(resolve))
    },
    end: async (signal = 'SIGKILL') => {
      child.kill(signal)
      await ended
    },
  }
}

/** Kills what a row left, but those. */
export function killAll(kept: ReadonlySet<number>): void {
  for (const child of running) if (child.pid === undefined || !kept.has(child.pid)) child.kill('SIGKILL')
}

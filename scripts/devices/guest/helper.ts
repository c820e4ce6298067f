/**
 * A process that makes plain blocking system calls, each when a line of its standard input asks for it, and answers each
 * with a line. While it waits in a call it does nothing else: that is the point of it.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'

export type Request =
  | { call: 'open'; path: string; flags: number }
  | { call: 'read'; fd: number; length: number }
  | { call: 'write'; fd: number; bytes: string }
  | { call: 'close'; fd: number }
  | { call: 'sleep'; milliseconds: number }

export interface Reply {
  count: number
  /** In base64. */
  bytes?: string
  error?: string
}

const input = Buffer.alloc(65_536)
let text = ''

function nextLine(): string | undefined {
  for (;;) {
    const end = text.indexOf('\n')
    if (end >= 0) {
      const line = text.slice(0, end)
      text = text.slice(end + 1)
      return line
    }
    const count = readSync(0, input)
    if (count === 0) return undefined
    text += input.toString('latin1', 0, count)
  }
}

function perform(request: Request): Reply {
  switch (request.call) {
    case 'open':
      return { count: openSync(request.path, request.flags) }
    case 'read': {
      const buffer = Buffer.alloc(request.length)
      const count = readSync(request.fd, buffer)
      return { count, bytes: buffer.subarray(0, count).toString('base64') }
    }
    case 'write':
      return { count: writeSync(request.fd, Buffer.from(request.bytes, 'base64')) }
    case 'close':
      closeSync(request.fd)
      return { count: 0 }
    case 'sleep':
    default:
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, request.milliseconds)
      return { count: 0 }
  }
}

function answer(line: string): Reply {
  try {
    return perform(JSON.parse(line) as Request)
  } catch (error) {
    return { count: -1, error: (error as NodeJS.ErrnoException).code ?? String(error) }
  }
}

for (let line = nextLine(); line !== undefined; line = nextLine()) {
  writeSync(1, `${JSON.stringify(answer(line))}\n`)
}

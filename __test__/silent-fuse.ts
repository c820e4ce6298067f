/** A file whose reads nobody ever answers: the one thing that defies its cancel for certain. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import type { ExecutionContext } from 'ava'

const root = new URL('..', import.meta.url)

export interface SilentFile {
  path: string
  /** Resolves when the next read has reached the server. Before, a cancel may still end it. */
  read: () => Promise<void>
  /** Ends the server before the test ends: everything on its file fails then. */
  end: () => Promise<void>
}

/** A program of crates/sandbox: built if need be, or in `URING_SAFE_CANCEL_PROGRAMS` where nothing can be built. */
export function sandboxProgram(name: string): string {
  const { URING_SAFE_CANCEL_PROGRAMS: programs } = process.env
  if (programs !== undefined) return join(programs, name)
  execFileSync('cargo', ['build', '--quiet', '--package', 'uring-safe-cancel-sandbox'], { cwd: root })
  return new URL(`target/debug/${name}`, root).pathname
}

/**
 * Mounts it until the end of the test. It takes /dev/fuse, and root or user namespaces. `slow`: what asks the server for the
 * file's attributes after the first read waits for three seconds.
 */
export function silentFile(t: ExecutionContext, kind: 'reads' | 'slow' = 'reads'): Promise<SilentFile> {
  return served(t, kind === 'slow' ? ['--slow'] : [])
}

/** A file whose server is asked for every byte, and answers these operations so much later. */
export function lateFile(t: ExecutionContext, milliseconds: number, operations: string): Promise<SilentFile> {
  return served(t, ['--direct-io', '--delay', String(milliseconds), operations])
}

async function served(t: ExecutionContext, options: string[]): Promise<SilentFile> {
  const directory = mkdtempSync(join(tmpdir(), 'silent-'))
  const server = spawn(sandboxProgram('silent-fuse'), [...options, directory], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let complaint = ''
  server.stderr.on('data', (chunk: Buffer) => (complaint += String(chunk)))
  const exit = once(server, 'exit')
  const end = async () => {
    server.stdin.end()
    await exit
  }
  t.teardown(async () => {
    await end()
    rmdirSync(directory)
  })
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]()
  const line = async () => {
    const next = await lines.next()
    if (next.done === true) throw new Error(`no file that never answers: ${complaint.trim()}`)
    return next.value
  }
  const path = await line()
  return { path, read: async () => void (await line()), end }
}

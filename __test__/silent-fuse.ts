/** A file whose reads nobody ever answers: the one thing that defies its cancel for certain. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { ExecutionContext } from 'ava'

const root = new URL('..', import.meta.url)

/** Mounts it until the end of the test, and returns its path. It takes /dev/fuse, and root or user namespaces. */
export async function silentFile(t: ExecutionContext): Promise<string> {
  execFileSync('cargo', ['build', '--quiet', '--package', 'uring-safe-cancel-sandbox'], { cwd: root })
  const directory = mkdtempSync(join(tmpdir(), 'silent-'))
  const server = spawn(new URL('target/debug/silent-fuse', root).pathname, [directory], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let complaint = ''
  server.stderr.on('data', (chunk: Buffer) => (complaint += String(chunk)))
  const exit = once(server, 'exit')
  t.teardown(async () => {
    server.stdin.end()
    await exit
    rmdirSync(directory)
  })
  const path = await Promise.race([once(server.stdout, 'data').then(String), exit.then(() => undefined)])
  if (path === undefined) throw new Error(`no file that never answers: ${complaint.trim()}`)
  return path.trim()
}

/** What several test files need. */
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import type { ExecutionContext } from 'ava'
import { Ring, type RingOptions } from 'uring-safe-cancel'

/** A ring that is destroyed with the test. */
export function ringFor(t: ExecutionContext, options?: RingOptions): Ring {
  const ring = new Ring(options)
  t.teardown(() => ring.destroy())
  return ring
}

/** A directory that goes with the test. */
export function directoryFor(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'uring-safe-cancel-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A file with content, open for reading and writing, that goes with the test. */
export function fileFor(t: ExecutionContext, content: string | Uint8Array): number {
  const path = join(directoryFor(t), 'file')
  writeFileSync(path, content)
  const fd = openSync(path, 'r+')
  t.teardown(() => closeSync(fd))
  return fd
}

/** Descriptors that go with the test. */
export function closeAfter(t: ExecutionContext, ...fds: number[]): void {
  t.teardown(() => fds.forEach((fd) => closeSync(fd)))
}

/** What this process's open descriptors point to. */
export function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      // The descriptor of the directory itself is closed by now.
      return []
    }
  })
}

/** Longer than any machine takes, however loaded: what has not happened by then never will. */
export const PATIENCE_MILLISECONDS = 60_000

/** How long a test for a starved timer goes on: shorter than what Ava takes for a hang. */
export const STARVED_MILLISECONDS = 30_000

/** A timer of 1 ms, and how often it has fired. */
export class Ticker {
  fired = 0
  readonly #timer = setInterval(() => (this.fired += 1), 1)

  stop(): void {
    clearInterval(this.#timer)
  }
}

/** Waits for a condition, however slow the machine is. */
export async function until(condition: () => boolean, what = String(condition)): Promise<void> {
  const end = performance.now() + PATIENCE_MILLISECONDS
  while (!condition()) {
    if (performance.now() > end) throw new Error(`it never came to this: ${what}`)
    await delay(1)
  }
}

/** Busy for some microseconds: a timer would be too coarse for a race. */
export function spin(microseconds: number): void {
  const end = performance.now() + microseconds / 1000
  while (performance.now() < end);
}

/** The eight bytes of an eventfd's number. */
export function eventBytes(number: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(number)
  return bytes
}

/** Settles to a word for what became of a promise. */
export async function fate(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'resolved'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

/** Collects garbage. */
export function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('the tests run with --expose-gc')
  globalThis.gc()
}

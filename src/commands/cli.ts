#!/usr/bin/env node
/**
 * The command `uring-safe-cancel`. It loads the rest itself, so that it can say in one line that this, or to print what
 * was found, failed for a reason that lies outside.
 */
import { readFileSync } from 'node:fs'

const FAILED = 1

/** Node opens many modules at once: with this many descriptors or more, loading them does not fail for want of one. */
const ENOUGH_DESCRIPTORS = 128

// `uring-safe-cancel stress | head` ends without a complaint.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  cannotWrite(error)
})

try {
  const { main } = await import('./dispatch.js')
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (isForDescriptors(error)) {
    const what =
      'it needs more descriptors than this process may have; close some, or raise the limit (ulimit -n)'
    process.stderr.write(`uring-safe-cancel: ${what}: ${error.message}\n`)
  } else if (isForRoom(error)) cannotWrite(error)
  else console.error(error)
  process.exitCode = FAILED
}

function cannotWrite({ message }: Error): never {
  process.stderr.write(`uring-safe-cancel: what it prints cannot be written: ${message}\n`)
  process.exit(FAILED)
}

/** Deno throws where Node emits an error. */
function isForRoom(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC'
}

/** Of a package that cannot be looked at for want of descriptors, Node says that it is not there. */
function isForDescriptors(error: unknown): error is Error {
  if (!(error instanceof Error && 'code' in error)) return false
  if (error.code === 'EMFILE' || error.code === 'ENFILE') return true
  return error.code === 'ERR_MODULE_NOT_FOUND' && mostDescriptors() < ENOUGH_DESCRIPTORS
}

function mostDescriptors(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity)
  } catch (error) {
    // What failed first still holds some.
    return error instanceof Error && 'code' in error && error.code === 'EMFILE' ? 0 : Infinity
  }
}

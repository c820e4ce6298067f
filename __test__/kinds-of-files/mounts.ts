/** Filesystems and block devices of a test's own. They take root, as the tests of faults do. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { ExecutionContext } from 'ava'

import { directoryFor } from '../helpers.js'

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' }).trim()
}

function image(t: ExecutionContext, bytes: number): string {
  const path = join(directoryFor(t), 'image')
  writeFileSync(path, '')
  truncateSync(path, bytes)
  return path
}

/** Mounts, and unmounts with the test: what is still open then keeps it for as long as it is. */
function mounted(t: ExecutionContext, ...args: string[]): string {
  const directory = join(directoryFor(t), 'mounted')
  mkdirSync(directory)
  run('mount', ...args, directory)
  t.teardown(() => run('umount', '--lazy', directory))
  return directory
}

/** An ext4 of its own, with about so many bytes. */
export function ext4For(t: ExecutionContext, bytes: number): string {
  const path = image(t, bytes)
  run('mkfs.ext4', '-q', '-O', '^has_journal', '-m', '0', path)
  return mounted(t, '-o', 'loop', path)
}

/** An ext4 of its own of which the kernel remembers no name of what `fill` made there. */
export function coldExt4For(t: ExecutionContext, bytes: number, fill: (directory: string) => void): string {
  const path = image(t, bytes)
  run('mkfs.ext4', '-q', '-O', '^has_journal', '-m', '0', path)
  const directory = mounted(t, '-o', 'loop', path)
  fill(directory)
  run('umount', directory)
  run('mount', '-o', 'loop', path, directory)
  return directory
}

/** A tmpfs of its own that holds so many bytes. */
export function tmpfsFor(t: ExecutionContext, bytes: number): string {
  return mounted(t, '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs')
}

/** An overlay of its own. */
export function overlayFor(t: ExecutionContext): string {
  // An overlay of an overlay, which a container's root is, cannot be written.
  const base = tmpfsFor(t, 64 << 20)
  const [lower, upper, work] = ['lower', 'upper', 'work'].map((name) => join(base, name))
  for (const directory of [lower, upper, work]) mkdirSync(String(directory))
  return mounted(t, '-t', 'overlay', '-o', `lowerdir=${lower},upperdir=${upper},workdir=${work}`, 'overlay')
}

/** A block device of its own with so many bytes. */
export function blockDeviceFor(t: ExecutionContext, bytes: number): string {
  const device = run('losetup', '--find', '--show', image(t, bytes))
  t.teardown(() => run('losetup', '--detach', device))
  return device
}

/** Where an open file stands, as the kernel says: whatever moves it is seen. */
export function positionOf(fd: number): number {
  return Number(/^pos:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1])
}

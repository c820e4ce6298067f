/** Mounts what files are made on, in a mount namespace that this process was started in: its end is theirs. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Places } from './kind.js'

/** As small as mkfs makes them. They are sparse. */
const IMAGES: [name: string, megabytes: number, mkfs: string[], otherwise?: string[]][] = [
  // Where there is but a busybox the kernel's ext4 gets what it calls ext2: it is the same code.
  ['ext4', 64, ['mkfs.ext4', '-q', '-F'], ['mke2fs', '-F']],
  ['xfs', 320, ['mkfs.xfs', '-q', '-f']],
  ['btrfs', 128, ['mkfs.btrfs', '-q', '-f']],
]
const DEVICE_MEGABYTES = 16
/** The file of one writer, and then there is no room: fewer bytes than `more than fits` asks for. */
const FULL_KILOBYTES = 96

function run(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' }).trim()
  } catch (error) {
    const { stderr = '', code } = error as { stderr?: string; code?: string }
    const why = code === 'ENOENT' ? 'there is no such program' : stderr.trim().split('\n')[0]
    throw new Error(`${command}: ${why}`, { cause: error })
  }
}

function isThere(program = ''): boolean {
  return spawnSync(program, ['-V'], { stdio: 'ignore' }).error === undefined
}

function image(base: string, name: string, megabytes: number): string {
  const path = join(base, `${name}.image`)
  writeFileSync(path, '')
  truncateSync(path, megabytes << 20)
  return path
}

/** Makes all of them; what cannot be made has its reason. */
export function mountAll(programs: string): Places {
  const base = mkdtempSync(join(tmpdir(), 'kinds-'))
  const filesystems: Places['filesystems'] = new Map()
  const attempt = (name: string, make: (directory: string) => string | void) => {
    const directory = join(base, name)
    mkdirSync(directory)
    try {
      filesystems.set(name, { directory: make(directory) ?? directory })
    } catch (error) {
      filesystems.set(name, { why: error instanceof Error ? error.message : String(error) })
    }
  }
  for (const [name, megabytes, mkfs, otherwise = mkfs] of IMAGES) {
    attempt(name, (directory) => {
      const path = image(base, name, megabytes)
      const [program = '', ...args] = isThere(mkfs[0]) ? mkfs : otherwise
      run(program, ...args, path)
      run('mount', '-t', name, '-o', 'loop', path, directory)
    })
  }
  attempt('tmpfs', (directory) => void run('mount', '-t', 'tmpfs', 'kinds', directory))
  attempt('full tmpfs', (directory) => {
    run('mount', '-t', 'tmpfs', '-o', `size=${FULL_KILOBYTES}k`, 'kinds', directory)
  })
  attempt('overlay', (directory) => {
    const ext4 = filesystems.get('ext4')
    if (ext4 === undefined || 'why' in ext4) throw new Error('there is no ext4 to lie on')
    const parts = ['lower', 'upper', 'work'].map((name) => join(ext4.directory, name))
    for (const part of parts) mkdirSync(part)
    const [lower, upper, work] = parts
    run(
      'mount',
      '-t',
      'overlay',
      'kinds',
      '-o',
      `lowerdir=${lower},upperdir=${upper},workdir=${work}`,
      directory,
    )
  })
  attempt('block device', () => {
    // The device is let go as its last user closes it: the mount of nothing, so it is detached at the end.
    return run('losetup', '--find', '--show', image(base, 'device', DEVICE_MEGABYTES))
  })
  const scratch = join(base, 'scratch')
  mkdirSync(scratch)
  return { filesystems, scratch, programs }
}

/** Lets go of what outlives a mount namespace. */
export function unmountAll({ filesystems, scratch }: Places): void {
  for (const [name, found] of filesystems) {
    if ('why' in found) continue
    try {
      if (name === 'block device') run('losetup', '-d', found.directory)
      else run('umount', '-l', found.directory)
    } catch {
      // It goes with the namespace.
    }
  }
  rmSync(join(scratch, '..'), { recursive: true, force: true })
}

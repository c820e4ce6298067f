/** The files that are read: blocks that each begin with their number, so that a read can be checked. */
import { closeSync, fsyncSync, openSync, readSync, statfsSync, statSync, writeSync } from 'node:fs'
import { freemem } from 'node:os'

/** A block of a file, and the smallest read. */
export const BLOCK = 4096
/** Random reads: larger than any processor's cache. */
export const RANDOM_BYTES = 256 << 20
/** Reads one after the other: the size that the issue names, and that of a short run. */
export const SEQUENTIAL_BYTES = { full: 1 << 30, quick: 128 << 20 }

/** Blocks written or read at once while a file is made: 4 MiB. */
const BATCH = 1024

/** Makes the file, brings it to the disk, and reads it once, so that no variant pays for either. */
export function makeFile(path: string, bytes: number): void {
  const batch = Buffer.alloc(BATCH * BLOCK, 'u')
  const fd = openSync(path, 'w+')
  for (let first = 0; first < bytes / BLOCK; first += BATCH) {
    for (let index = 0; index < BATCH; index += 1) batch.writeUInt32LE(first + index, index * BLOCK)
    writeSync(fd, batch, 0, batch.length, first * BLOCK)
  }
  fsyncSync(fd)
  for (let at = 0; at < bytes; at += batch.length) readSync(fd, batch, 0, batch.length, at)
  closeSync(fd)
  if (statSync(path).size !== bytes) throw new Error(`${path} has not ${bytes} bytes`)
}

/** Whether a file of that size stays in the page cache: three times of it is free. */
export function fitsInCache(bytes: number): boolean {
  return freemem() > 3 * bytes
}

/** Names of the file systems one meets, by the magic numbers of statfs(2). */
const FILE_SYSTEMS: Record<number, string> = {
  0x0102_1994: 'tmpfs',
  0xef53: 'ext4',
  0x5846_5342: 'xfs',
  0x9123_683e: 'btrfs',
  0x794c_7630: 'overlayfs',
  0x2fc1_2fc1: 'zfs',
}

/** The name of a directory's file system. */
export function fileSystemOf(directory: string): string {
  const { type } = statfsSync(directory)
  return FILE_SYSTEMS[type] ?? `file system 0x${type.toString(16)}`
}

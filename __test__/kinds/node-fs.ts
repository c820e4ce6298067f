/** The operations by node:fs, whose longest gap of the event loop stands beside the ring's. */
import fs from 'node:fs'
import { promisify } from 'node:util'

import type { Face } from './start.js'

const [read, readv, write, writev, fsync, open, close] = [
  promisify(fs.read) as (fd: number, ...words: unknown[]) => Promise<unknown>,
  promisify(fs.readv),
  promisify(fs.write) as (fd: number, ...words: unknown[]) => Promise<unknown>,
  promisify(fs.writev),
  promisify(fs.fsync),
  promisify(fs.open),
  promisify(fs.close),
]

/** node:fs has no poll, and its operations no options. */
export const NODE_FS: Face = {
  read: (fd, buffer, offset, length, position) => read(fd, buffer, offset, length, position),
  readv: (fd, buffers, position) => readv(fd, buffers, position as unknown as number),
  write: (fd, buffer, offset, length, position) => write(fd, buffer, offset, length, position),
  writev: (fd, buffers, position) => writev(fd, buffers, position as unknown as number),
  poll: () => Promise.reject(new Error('there is no fs.poll')),
  fsync: (fd) => fsync(fd),
  open: (path, flags, mode) => open(path, flags, mode),
  closeFd: (fd) => close(fd),
}

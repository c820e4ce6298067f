/**
 * A pipe as programs are given them: blocking, and of any number. The ring did not make it and knows nothing of it, but where
 * the ring is to open it.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Bytes written at once: half of what a pipe holds, so that the rest of the last ones has room beside them. */
const CHUNK = 32_768

/** A FIFO whose name is gone once it is open. */
export function inFifo<Opened>(open: (path: string) => Opened): Opened {
  const directory = mkdtempSync(join(tmpdir(), 'uring-safe-cancel-bench-'))
  const path = join(directory, 'fifo')
  execFileSync('mkfifo', [path])
  const remove = () => rmSync(directory, { recursive: true })
  const opened = open(path)
  if (opened instanceof Promise) void opened.finally(remove)
  else remove()
  return opened
}

export class Fifo {
  /** Both ends. */
  readonly fd: number
  readonly #bytes = Buffer.from(Uint8Array.from({ length: CHUNK }, (_, index) => index & 255))
  #left = 0
  #written = 0

  /** `fd`: of a FIFO, for reading and writing, if it is not to be opened here. */
  constructor(fd = inFifo((path) => openSync(path, 'r+'))) {
    this.fd = fd
  }

  /** Promises a byte to a read that is about to be begun: it is there, and the answer is which. */
  take(): number {
    if (this.#left === 0) {
      this.#left = writeSync(this.fd, this.#bytes)
      if (this.#left !== CHUNK) throw new Error(`the pipe took ${this.#left} bytes`)
    }
    const byte = (CHUNK - this.#left) & 255
    this.#left -= 1
    return byte
  }

  /** Writes so many bytes, each another. Returns their sum. */
  write(count: number): number {
    let sum = 0
    for (let index = 0; index < count; index += 1) {
      const byte = (this.#written + index) & 255
      this.#bytes[index] = byte
      sum += byte
    }
    this.#written += count
    if (writeSync(this.fd, this.#bytes, 0, count) !== count) throw new Error('the pipe is full')
    return sum
  }
}

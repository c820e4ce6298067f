/** The three ways: a blocking process, node:fs, and the ring. */
import { close, open, read, readFileSync, write } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import type { Ring } from 'uring-safe-cancel'

import type { Other, Result, Started, Waiting, Way } from '../row.js'
import type { Reply, Request } from './helper.js'
import { start } from './started.js'

const HELPER = fileURLToPath(new URL('helper.js', import.meta.url))
const LOOK_MILLISECONDS = 10
const NOTHING = Buffer.alloc(0)

/** The word for an error: its code, but what cancelled an operation is known by its name. */
export function wordOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return error.name
  return (error as NodeJS.ErrnoException).code ?? `${error.name}: ${error.message}`
}

async function resultOf(work: Promise<{ count: number; bytes?: Buffer }>): Promise<Result> {
  try {
    const { count, bytes = NOTHING } = await work
    return { count, bytes }
  } catch (error) {
    return { count: -1, bytes: NOTHING, error: wordOf(error) }
  }
}

/** Blocking calls of a process of its own. */
class PlainWay implements Other {
  readonly name = 'plain'
  readonly #process: Started = start(process.execPath, HELPER)
  #asked = 0

  get pid(): number {
    return this.#process.pid
  }

  /** It waits in no call. */
  get isIdle(): boolean {
    return this.#asked === 0
  }

  async isIn(call: number): Promise<void> {
    // A task that runs shows no number.
    while (!readFileSync(`/proc/${this.#process.pid}/syscall`, 'utf8').startsWith(`${call} `)) {
      await delay(LOOK_MILLISECONDS)
    }
  }

  async #ask(request: Request): Promise<Reply> {
    this.#process.send(`${JSON.stringify(request)}\n`)
    this.#asked += 1
    const line = await this.#process.line()
    this.#asked -= 1
    return line === '' ? { count: -1, error: 'killed' } : (JSON.parse(line) as Reply)
  }

  async #result(request: Request): Promise<Result> {
    const { count, bytes = '', error } = await this.#ask(request)
    return { count, bytes: Buffer.from(bytes, 'base64'), ...(error !== undefined && { error }) }
  }

  async open(path: string, flags: number): Promise<number> {
    const { count, error } = await this.#ask({ call: 'open', path, flags })
    if (error !== undefined) throw Object.assign(new Error(`${error}: ${path}`), { code: error })
    return count
  }

  read(fd: number, length: number): Promise<Result> {
    return this.#result({ call: 'read', fd, length })
  }

  write(fd: number, bytes: Buffer): Promise<Result> {
    return this.#result({ call: 'write', fd, bytes: bytes.toString('base64') })
  }

  async close(fd: number): Promise<string> {
    return (await this.#ask({ call: 'close', fd })).error ?? 'ok'
  }

  /** Once it has started: no part of what is measured. */
  async ready(): Promise<this> {
    await this.#ask({ call: 'sleep', milliseconds: 0 })
    return this
  }

  another(): Promise<Way> {
    return plainWay()
  }
}

const taken = new Set<PlainWay>()
let spare: PlainWay[] = []

/** A process that makes blocking calls; one that served an earlier row, where there is one: an emulated machine starts few a minute. */
export async function plainWay(): Promise<Other> {
  const way = spare.pop() ?? new PlainWay()
  taken.add(way)
  return way.ready()
}

/** The end of a row: the processes that may serve the next one, by their numbers. */
export function keepIdle(isAsItWas: boolean): ReadonlySet<number> {
  // What went wrong may have left descriptors open.
  spare = isAsItWas ? [...spare, ...[...taken].filter((way) => way.isIdle)] : []
  taken.clear()
  return new Set(spare.map(({ pid }) => pid))
}

type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void

function promised<T>(call: (callback: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error === null ? resolve(value) : reject(error)))
  })
}

class FsWay implements Way {
  readonly name = 'fs'

  open(path: string, flags: number): Promise<number> {
    return promised((callback) => open(path, flags, callback))
  }

  read(fd: number, length: number): Promise<Result> {
    const buffer = Buffer.alloc(length)
    const count = promised<number>((callback) => read(fd, buffer, 0, length, null, callback))
    return resultOf(count.then((bytes) => ({ count: bytes, bytes: buffer.subarray(0, bytes) })))
  }

  write(fd: number, bytes: Buffer): Promise<Result> {
    const count = promised<number>((callback) => write(fd, bytes, 0, bytes.length, null, callback))
    return resultOf(count.then((written) => ({ count: written })))
  }

  close(fd: number): Promise<string> {
    const closed = promised<string>((callback) => close(fd, (error) => callback(error ?? null, 'ok')))
    return closed.catch(wordOf)
  }

  another(): Promise<Way> {
    return Promise.resolve(this)
  }
}

class RingWay implements Way {
  readonly name = 'ring'
  readonly #ring: Ring

  constructor(ring: Ring) {
    this.#ring = ring
  }

  open(path: string, flags: number, waiting: Waiting = {}): Promise<number> {
    return this.#ring.open(path, flags, 0, waiting)
  }

  read(fd: number, length: number, waiting: Waiting = {}): Promise<Result> {
    const done = this.#ring.read(fd, Buffer.alloc(length), waiting)
    return resultOf(
      done.then(({ bytesRead, buffer }) => ({ count: bytesRead, bytes: buffer.subarray(0, bytesRead) })),
    )
  }

  write(fd: number, bytes: Buffer, waiting: Waiting = {}): Promise<Result> {
    return resultOf(
      this.#ring.write(fd, bytes, waiting).then(({ bytesWritten }) => ({ count: bytesWritten })),
    )
  }

  close(fd: number): Promise<string> {
    return this.#ring.closeFd(fd).then(() => 'ok', wordOf)
  }

  another(): Promise<Way> {
    return Promise.resolve(this)
  }
}

/** The way of that name. */
export function wayOf(name: Way['name'], ring: Ring): Promise<Way> {
  if (name === 'plain') return plainWay()
  return Promise.resolve(name === 'fs' ? new FsWay() : new RingWay(ring))
}

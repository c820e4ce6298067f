/** Opens that wait: for the peer of a FIFO, here. They cost nobody else anything. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { once } from 'node:events'

import test, { type ExecutionContext } from 'ava'
import { eventfd, pipe, type Ring } from 'uring-safe-cancel'

import { publicCopies, runProgram } from '../fixtures/programs.js'
import { directoryFor, fate, ringFor } from '../helpers.js'
import { isFree } from './gap.js'
import { coldExt4For, ext4For, overlayFor } from './mounts.js'

/** How many may wait at once on a thread (docs/contract.md): far more than processors. */
const MANY = 256

/** What has not settled by then waits for the opens. They are let go then, so that the test ends. */
const WAITS_AFTER_MILLISECONDS = 15_000

/** FIFOs without a peer. */
function fifosFor(t: ExecutionContext, count: number): string[] {
  const directory = directoryFor(t)
  const paths = Array.from({ length: count }, (_, index) => join(directory, `fifo${index}`))
  execFileSync('mkfifo', paths)
  return paths
}

/** Is the peer of whatever waits for one, and leaves again. */
function meet(path: string): void {
  closeSync(openSync(path, 'r+'))
}

class Waiting {
  settled = 0
  readonly fds: number[] = []
  readonly failures: string[] = []
  readonly all: Promise<unknown>
  readonly #paths: string[]

  constructor(ring: Ring, paths: string[], options: { signal?: AbortSignal } = {}) {
    this.#paths = paths
    const opens = paths.map(async (path) => {
      try {
        this.fds.push(await ring.open(path, 'r', 0o666, options))
      } catch (error) {
        this.failures.push(String((error as NodeJS.ErrnoException).code))
      } finally {
        this.settled += 1
      }
    })
    this.all = Promise.all(opens)
  }

  /** Lets them all go, however often some have to be met: who begins to wait only now has missed its peer. */
  async end(): Promise<void> {
    while (this.settled < this.#paths.length) {
      for (const path of new Set(this.#paths)) meet(path)
      await delay(10)
    }
    for (const fd of this.fds) closeSync(fd)
  }
}

function opened(path: string): number {
  return openSync(path, 'w+')
}

/** What must not wait, on a ring. Each gives a name to what it does, one after the other. */
function others(t: ExecutionContext): Record<string, (ring: Ring) => Promise<unknown>> {
  const directory = directoryFor(t)
  const ext4 = ext4For(t, 16 << 20)
  const overlay = overlayFor(t)
  return {
    'open of a file': async (ring) => closeSync(await ring.open(join(directory, 'opened'), 'w+')),
    'open and closeFd of a file': async (ring) =>
      ring.closeFd(await ring.open(join(directory, 'closed'), 'w+')),
    'a write that extends a file': async (ring) => {
      const fd = opened(join(directory, 'extended'))
      await ring.write(fd, Buffer.alloc(1 << 20, 'x')).finally(() => closeSync(fd))
    },
    'a write that extends a file of ext4': async (ring) => {
      const fd = opened(join(ext4, 'extended'))
      await ring.write(fd, Buffer.alloc(1 << 20, 'x'), { position: 4096 }).finally(() => closeSync(fd))
    },
    'fsync and fdatasync': async (ring) => {
      const fd = opened(join(ext4, 'synced'))
      await ring.write(fd, 'x')
      await ring.fsync(fd)
      await ring.fdatasync(fd).finally(() => closeSync(fd))
    },
    'closeFd of a file of ext4': (ring) => ring.closeFd(opened(join(ext4, 'closed'))),
    'closeFd of a file of an overlay': (ring) => ring.closeFd(opened(join(overlay, 'closed'))),
    'closeFd of an eventfd': (ring) => ring.closeFd(eventfd()),
    'an asynchronous read of a file': async (ring) => {
      const fd = openSync(process.execPath, 'r')
      await ring.read(fd, { length: 4096, position: 1 << 20, async: true }).finally(() => closeSync(fd))
    },
    'a read of a pipe that has bytes, asynchronously': async (ring) => {
      const { readFd, writeFd } = pipe()
      await ring.write(writeFd, 'x')
      await ring
        .read(readFd, { length: 1, async: true })
        .finally(() => [readFd, writeFd].forEach((fd) => closeSync(fd)))
    },
  }
}

async function waitsFor(t: ExecutionContext, name: string, promise: Promise<unknown>): Promise<void> {
  const begun = performance.now()
  const ended = promise.then(
    () => 'ended',
    (error: unknown) => String(error),
  )
  const how = await Promise.race([
    ended,
    delay(WAITS_AFTER_MILLISECONDS, 'it waits for the opens', { ref: false }),
  ])
  t.is(how, 'ended', name)
  if (how !== 'ended') throw new Error(`${name}: ${how}`)
  t.log(`${name}: ${(performance.now() - begun).toFixed()} ms`)
}

for (const [name, second] of Object.entries({
  'the same ring': false,
  'a second ring of the thread': true,
})) {
  test(`${MANY} opens of FIFOs without a peer keep nothing else waiting on ${name}`, async (t) => {
    const ring = ringFor(t)
    const other = second ? ringFor(t) : ring
    const waiting = new Waiting(ring, fifosFor(t, MANY))
    const operations = Object.entries(others(t))
    try {
      await isFree(t, 'everything', async () => {
        await ring.nop()
        await delay(200)
        for (const [what, submit] of operations) await waitsFor(t, what, submit(other))
      })
      t.is(waiting.settled, 0, 'none of the opens has ended')
      t.is(ring.stats().inFlight, MANY)
    } finally {
      await waiting.end()
    }
    t.deepEqual(waiting.failures, [])
    t.is(waiting.fds.length, MANY)
  })
}

test(`each of ${MANY} opens is freed by its own peer, whichever comes first`, async (t) => {
  const ring = ringFor(t)
  const paths = fifosFor(t, MANY)
  const waiting = new Waiting(ring, paths)
  await ring.nop()
  await delay(200)
  let met = 0
  try {
    // The last ones first: they are whom nobody lets wait in the kernel.
    for (let index = paths.length - 1; index >= 0; index -= 1) {
      const path = paths[index] ?? ''
      const end = performance.now() + WAITS_AFTER_MILLISECONDS
      met += 1
      do {
        meet(path)
        await delay(1)
      } while (waiting.settled < met && performance.now() < end)
      if (waiting.settled < met)
        throw new Error(`the peer of the open before ${met - 1} others does not free it`)
    }
    t.is(waiting.settled, MANY)
  } finally {
    await waiting.end()
  }
  t.deepEqual(waiting.failures, [])
})

test(`a cancel ends each of ${MANY} opens that wait`, async (t) => {
  const ring = ringFor(t)
  const controller = new AbortController()
  const waiting = new Waiting(ring, fifosFor(t, MANY), { signal: controller.signal })
  await ring.nop()
  await delay(100)
  t.is(waiting.settled, 0)
  await isFree(t, 'the cancels', async () => {
    controller.abort()
    await waiting.all
  })
  t.deepEqual(
    waiting.failures,
    Array.from({ length: MANY }, () => 'ABORT_ERR'),
  )
  t.is(ring.stats().inFlight, 0)
})

test('opens that wait leave worker.terminate() and destroy() free', async (t) => {
  const [path = ''] = fifosFor(t, 1)
  const ring = ringFor(t)
  const waiting = new Waiting(
    ring,
    Array.from({ length: MANY }, () => path),
  )
  const code = `
    import('uring-safe-cancel').then(({ Ring }) => {
      const ring = new Ring()
      for (let count = 0; count < ${MANY}; count += 1) ring.open(${JSON.stringify(path)}, 'r').catch(() => {})
      setImmediate(() => require('node:worker_threads').parentPort.postMessage('busy'))
    })`
  const worker = new Worker(code, { eval: true })
  await once(worker, 'message')
  await isFree(t, 'terminate and destroy', async () => {
    await waitsFor(t, 'worker.terminate()', worker.terminate())
    await waitsFor(t, 'destroy()', ring.destroy())
    await waiting.all
  })
  t.is(waiting.failures.length, MANY)
  t.deepEqual(new Set(waiting.failures), new Set(['ABORT_ERR']))
})

test('opens beyond the limit are refused with words that say so, and those below it wait, and end', async (t) => {
  const ring = ringFor(t)
  const [path = ''] = fifosFor(t, 1)
  const errors: Error[] = []
  const fds: number[] = []
  const opens = Array.from({ length: 5000 }, () =>
    ring.open(path, 'r').then(
      (fd) => void fds.push(fd),
      (error: Error) => void errors.push(error),
    ),
  )
  // Not a nop: a ring that lets them all wait would have no room for it.
  await delay(500)
  const refused = errors.length
  t.log(`${refused} of ${opens.length} were refused: ${errors[0]?.message ?? 'none'}`)
  const waits = opens.length - refused
  const other = await Promise.race([
    fate(ring.open('/dev/null', 'r').then(closeSync)),
    delay(WAITS_AFTER_MILLISECONDS, 'it waits for the opens', { ref: false }),
  ])
  t.is(other, 'resolved')
  t.is(waits, MANY)
  for (const error of errors) {
    t.like(error, { code: 'ERR_RING_TOO_MANY_OPENS' })
    t.regex(error.message, /256 opens .*wait on this thread/)
  }
  for (let closed = 0; closed + errors.length < opens.length;) {
    meet(path)
    await delay(10)
    // Descriptors are fewer than opens.
    for (const fd of fds.splice(0)) {
      closeSync(fd)
      closed += 1
    }
  }
  await Promise.all(opens)
  t.is(errors.length, refused, 'those that waited opened it')
})

test('a first ring with few entries decides for no later ring of the thread how many opens may wait', async (t) => {
  const paths = fifosFor(t, MANY)
  const code = `
    import { Ring } from 'uring-safe-cancel'
    import { closeSync } from 'node:fs'
    const first = new Ring({ entries: 1, completionEntries: 8 })
    await first.nop()
    const ring = new Ring()
    let settled = 0
    for (const path of ${JSON.stringify(paths)}) ring.open(path, 'r').then(() => (settled += 1), () => (settled += 1))
    await ring.nop()
    await new Promise((resolve) => setTimeout(resolve, 200))
    const how = await Promise.race([
      ring.open(process.execPath, 'r').then(() => 'opened', String),
      new Promise((resolve) => setTimeout(resolve, ${WAITS_AFTER_MILLISECONDS}, 'it waits for the opens')),
    ])
    console.log(how, settled)
    process.exit()`
  const { output, errors } = await runProgram(code)
  t.is(output.trim(), 'opened 0', errors)
})

test('a timeout ends the last open that may wait, and what has ended makes room for others', async (t) => {
  const ring = ringFor(t)
  const other = ringFor(t)
  const controller = new AbortController()
  const waiting = new Waiting(ring, fifosFor(t, MANY - 1), { signal: controller.signal })
  const [path = ''] = fifosFor(t, 1)
  await ring.nop()
  for (let round = 0; round < 3; round += 1) {
    const last = fate(other.open(path, 'r', 0, { timeout: 200 }))
    const refused = fate(ring.open(path, 'r'))
    t.is(await refused, 'ERR_RING_TOO_MANY_OPENS')
    t.is(await last, 'TIMEOUT_ERR')
  }
  t.is(waiting.settled, 0)
  controller.abort()
  await waiting.all
  const again = new Waiting(other, fifosFor(t, MANY))
  await other.nop()
  await waitsFor(t, 'open of a file', ring.open(process.execPath, 'r').then(closeSync))
  t.is(again.settled, 0)
  await again.end()
  t.deepEqual(again.failures, [])
})

for (const count of [MANY - 1, MANY + 44]) {
  test(`an open of a file that nobody has named yet does not wait for ${count} opens that nobody can tell from it`, async (t) => {
    const ring = ringFor(t)
    const names = Array.from({ length: count }, (_, index) => `fifo${index}`)
    const directory = coldExt4For(t, 32 << 20, (cold) => {
      execFileSync('mkfifo', names, { cwd: cold })
      writeFileSync(join(cold, 'file'), 'content')
    })
    const waiting = new Waiting(
      ring,
      names.map((name) => join(directory, name)),
    )
    try {
      await delay(200)
      await waitsFor(t, 'open of a file', ring.open(join(directory, 'file'), 'r').then(closeSync))
    } finally {
      await waiting.end()
    }
    const wrong = waiting.failures.filter((code) => code !== 'ERR_RING_TOO_MANY_OPENS')
    t.deepEqual(wrong, [], 'those that were not refused opened it')
  })
}

/** A user of no other test, for whom the limit counts: it does not for root. */
const NOBODY = '64533'

test('where a user may have few threads, opens that find none are refused with words that say so, and no other waits', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const { home, launcher, node, remove } = await publicCopies()
  t.teardown(remove)
  const code = `
    import { execFileSync } from 'node:child_process'
    import fs from 'node:fs'
    import { tmpdir } from 'node:os'
    import { join } from 'node:path'
    import { setTimeout as delay } from 'node:timers/promises'
    import { Ring } from 'uring-safe-cancel'
    const directory = fs.mkdtempSync(join(tmpdir(), 'few-threads-'))
    const path = join(directory, 'fifo')
    execFileSync('mkfifo', [path])
    const file = join(directory, 'file')
    const ring = new Ring()
    await ring.closeFd(await ring.open(file, 'w'))
    execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=80'])
    const errors = []
    let opened = 0
    const opens = Array.from({ length: ${MANY} }, () =>
      ring.open(path, 'r').then(
        (fd) => {
          opened += 1
          fs.closeSync(fd)
        },
        (error) => errors.push(error.code + ': ' + error.message),
      ),
    )
    await ring.nop()
    await delay(200)
    const other = (async () => {
      const fd = await ring.open(file, 'r+')
      await ring.write(fd, 'x')
      await ring.fsync(fd)
      await ring.closeFd(fd)
      return 'done'
    })().catch(String)
    const how = await Promise.race([other, delay(${WAITS_AFTER_MILLISECONDS}, 'it waits for the opens')])
    const refused = errors.length
    let isOver = false
    void Promise.all(opens).then(() => (isOver = true))
    while (!isOver) {
      fs.closeSync(fs.openSync(path, 'r+'))
      await delay(10)
    }
    fs.rmSync(directory, { recursive: true })
    console.log(JSON.stringify({ how, refused, opened, words: [...new Set(errors)] }))
    process.exit()`
  const { output, errors } = await runProgram(code, {
    launcher: [launcher, '--uid', NOBODY, '--'],
    home,
    node,
  })
  const told = JSON.parse(output || JSON.stringify(errors)) as {
    how: string
    refused: number
    opened: number
    words: string[]
  }
  t.log(`${told.opened} waited, ${told.refused} were refused: ${told.words.join('; ')}`)
  t.is(told.how, 'done')
  t.true(told.opened > 0 && told.refused > 0)
  t.is(told.opened + told.refused, MANY, 'those that waited opened it')
  t.is(told.words.length, 1)
  t.regex(told.words[0] ?? '', /^ERR_RING_NO_THREAD: .*RLIMIT_NPROC/)
})

/** A process that gives up its rights after the ring was made: later operations must not keep the old ones. */
import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import test, { type ExecutionContext } from 'ava'

import { runProgram } from '../fixtures/programs.js'
import { directoryFor } from '../helpers.js'

/** A user and a group that own nothing. */
const NOBODY = 65_534
/** A group that nobody is in, but for whom a test puts into it. */
const GROUP = 54_321

/** The files that the programs try to open: of root alone, of root and a group, and of everybody. */
function filesFor(t: ExecutionContext): { secret: string; shared: string; open: string } {
  const directory = directoryFor(t)
  chmodSync(directory, 0o755)
  const make = (name: string, mode: number, group: number) => {
    const path = join(directory, name)
    writeFileSync(path, name)
    chownSync(path, 0, group)
    chmodSync(path, mode)
    return path
  }
  return {
    secret: make('secret', 0o600, 0),
    shared: make('shared', 0o640, GROUP),
    open: make('open', 0o644, 0),
  }
}

/** `open`s in line, in a worker thread of the kernel, and behind a queue that is full, in this order. */
const HEAD = `
  import { Ring, eventfd } from 'uring-safe-cancel'
  const ring = new Ring()
  const small = new Ring({ entries: 8, completionEntries: 8 })
  const event = eventfd()
  const fate = (promise) => promise.then(() => 'opened', (error) => error.code)
  const fates = async (path, flags = 'r') => {
    const hung = Array.from({ length: 4 }, () => small.read(event, { length: 8, onCancel: 'resolve' }))
    const opens = [ring.open(path, flags), ring.open(path, flags, 0, { async: true }), small.open(path, flags)]
    if (small.stats().queued !== 1) throw new Error('the last one does not wait')
    await ring.nop()
    await small.cancelFd(event)
    await Promise.all(hung)
    return (await Promise.all(opens.map(fate))).join()
  }
  // Worker threads of the kernel live for seconds: those made by root are there for what follows.
  const say = async (...words) => console.log(...words)
`
const ALL = 'opened,opened,opened'
const NONE = 'EACCES,EACCES,EACCES'

/** Runs a program as root, and gives the lines that it printed. */
async function linesOf(t: ExecutionContext, code: string): Promise<string[]> {
  if (process.getuid?.() !== 0) {
    throw new Error('only root has rights to give up: run this test as root (CI does)')
  }
  const { status, output, errors } = await runProgram(`${HEAD}${code}`)
  t.is(status, 0, errors)
  return output.trim().split('\n')
}

test('setuid: what is submitted after it has the rights of the new user, also in worker threads of the kernel', async (t) => {
  const { secret, open } = filesFor(t)
  const lines = await linesOf(
    t,
    `
    await say(await fates('${secret}'), await fates('${secret}', 'r+'))
    process.setgroups([])
    process.setgid(${NOBODY})
    process.setuid(${NOBODY})
    await say(await fates('${secret}'), await fates('${secret}', 'r+'))
    await say(await fates('${open}'), await fates('${open}', 'r+'))`,
  )
  t.deepEqual(lines, [`${ALL} ${ALL}`, `${NONE} ${NONE}`, `${ALL} ${NONE}`])
})

test('seteuid there and back: each operation has the rights of when it is submitted', async (t) => {
  const { secret } = filesFor(t)
  const lines = await linesOf(
    t,
    `
    for (let round = 0; round < 20; round += 1) {
      process.seteuid(${NOBODY})
      await say(await fates('${secret}'))
      process.seteuid(0)
      await say(await fates('${secret}'))
    }`,
  )
  t.deepEqual(
    lines,
    Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? NONE : ALL)),
  )
})

test('setuid in the turn of the call, or while it waits in the queue: the new rights, for it is submitted later', async (t) => {
  const { secret } = filesFor(t)
  const lines = await linesOf(
    t,
    `
    const hung = Array.from({ length: 4 }, () => small.read(event, { length: 8, onCancel: 'resolve' }))
    await ring.nop()
    const opens = [ring.open('${secret}'), ring.open('${secret}', 'r', 0, { async: true }), small.open('${secret}')]
    process.seteuid(${NOBODY})
    await small.cancelFd(event)
    await say((await Promise.all(opens.map(fate))).join())`,
  )
  t.deepEqual(lines, [NONE])
})

test('setgroups and setegid: groups come and go with the process', async (t) => {
  const { shared } = filesFor(t)
  const lines = await linesOf(
    t,
    `
    const as = async (change) => {
      process.seteuid(0)
      process.setgroups([])
      process.setegid(${NOBODY})
      change()
      process.seteuid(${NOBODY})
      await say(await fates('${shared}'))
    }
    await as(() => {})
    await as(() => process.setgroups([${GROUP}]))
    await as(() => {})
    await as(() => process.setegid(${GROUP}))
    await as(() => {})`,
  )
  t.deepEqual(lines, [NONE, ALL, NONE, ALL, NONE])
})

test("setuid in the main thread binds a worker's ring as well", async (t) => {
  const { secret } = filesFor(t)
  const body = `
    const { parentPort } = require('node:worker_threads')
    const { Ring } = require('uring-safe-cancel')
    const ring = new Ring()
    const fate = (promise) => promise.then(() => 'opened', (error) => error.code)
    parentPort.on('message', async () => {
      const opens = [ring.open('${secret}'), ring.open('${secret}', 'r', 0, { async: true })]
      parentPort.postMessage((await Promise.all(opens.map(fate))).join())
    })`
  const lines = await linesOf(
    t,
    `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    const worker = new Worker(${JSON.stringify(body)}, { eval: true, execArgv: [] })
    const ask = async () => { worker.postMessage(''); return (await once(worker, 'message'))[0] }
    await say(await ask())
    process.setuid(${NOBODY})
    await say(await ask())
    await worker.terminate()`,
  )
  t.deepEqual(lines, ['opened,opened', 'EACCES,EACCES'])
})

test('a descriptor that was opened before serves on, and its async operations with it', async (t) => {
  const { secret } = filesFor(t)
  const lines = await linesOf(
    t,
    `
    const fd = await ring.open('${secret}')
    process.setuid(${NOBODY})
    for (const isAsync of [false, true]) {
      const { buffer } = await ring.read(fd, { length: 6, position: 0, async: isAsync })
      await say(buffer.toString())
    }
    await ring.closeFd(fd)`,
  )
  t.deepEqual(lines, ['secret', 'secret'])
})

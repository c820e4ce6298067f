/** The rows of every serial line: what differs is the path, and who is at the other end. */
import { close, constants } from 'node:fs'
import { fileURLToPath } from 'node:url'

import type { Lab, Row } from '../row.js'
import { type Peer, WHOLE } from './peer.js'
import { opened, pattern, read, readAll, written } from './values.js'

export interface Line {
  path: string
  /** Makes it ready, and its peer. */
  readonly ready: (lab: Lab) => Promise<Peer>
  /** What fills its buffers, and then some. */
  flood: number
  /** What is taken at once, and stays unsent while the peer takes nothing. */
  unsent: number
}

const { O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR } = constants
const FLAGS = O_RDWR | O_NOCTTY
/** Longer than a cancel takes, on a machine that is four times slower, too. */
const RESCUE_MILLISECONDS = 3000
const TIMEOUT_MILLISECONDS = 300
/** close(2), by its number on x64. */
const CLOSE = 3
/** The kernel's own default is half a minute. */
const CLOSING_WAIT = { hundredths: 100, default: 3000 }
const NOTHING = Buffer.alloc(0)
const EXITS = fileURLToPath(new URL('../guest/exits.js', import.meta.url))

const BY_ITSELF = 'by itself'
const howEnded = async (peer: Peer) => ((await peer.rescued()) ? 'by the rescue' : BY_ITSELF)
const WAITS = 'with O_NONBLOCK the ring waits where the others say EAGAIN'
const GIVES_UP = 'a timeout ends it; the others wait until somebody takes the bytes'

/** Raw, and nobody asks for a carrier. */
export async function raw(lab: Lab, path: string, settings = 'min 1 time 0'): Promise<void> {
  await lab.shell(`stty -F ${path} raw -echo clocal -ixon -ixoff ${settings}`)
}

/** Makes the line ready for a row. */
async function prepare({ path, ready }: Line, lab: Lab, settings?: string): Promise<Peer> {
  const peer = await ready(lab)
  await raw(lab, path, settings)
  return peer
}

/** What comes in, and who waits for it. */
export function readRows(line: Line): Row[] {
  const { path } = line
  const idleRead = (name: string, flags: number): Row => ({
    name,
    async run(way, lab) {
      const peer = await prepare(line, lab)
      const fd = await way.open(path, flags)
      const cancelled =
        way.name === 'ring' && (await lab.watch(() => way.read(fd, 64, { timeout: TIMEOUT_MILLISECONDS })))
      await peer.send('hello')
      const kept = await lab.watch(() => readAll(way, fd, 5))
      const waiting = lab.watch(() => readAll(way, fd, 5))
      await peer.send('world')
      const came = await waiting
      return {
        ...(cancelled && { cancelled: read(cancelled) }),
        kept: read(kept),
        came: read(came),
        closed: await way.close(fd),
      }
    },
    right: { cancelled: 'TimeoutError', kept: '"hello"', came: '"world"' },
  })

  return [
    idleRead('an idle read, its cancel, and the bytes that come then', FLAGS),
    {
      ...idleRead('the same with O_NONBLOCK', FLAGS | O_NONBLOCK),
      differs: { kept: WAITS, came: WAITS },
    },
    {
      name: 'two readers, thirty single bytes',
      fault: 'A1',
      async run(way, lab) {
        const peer = await prepare(line, lab)
        const other = await way.another()
        const readers = [
          { way, fd: await way.open(path, FLAGS) },
          { way: other, fd: await other.open(path, FLAGS) },
        ]
        let total = ''
        await lab.watch(async () => {
          // Both wait all the time; who gets a byte waits anew.
          const waiting = readers.map((reader) => reader.way.read(reader.fd, 1))
          for (let count = 0; count < 30; count += 1) {
            await peer.send('x')
            const { index, result } = await Promise.race(
              waiting.map(async (pending, at) => ({ index: at, result: await pending })),
            )
            total += result.bytes.toString('latin1')
            const reader = readers[index]
            if (reader !== undefined) waiting[index] = reader.way.read(reader.fd, 1)
          }
          await peer.send('yz')
          const last = await Promise.all(waiting)
          total += last.map(({ bytes }) => bytes.toString('latin1')).join('')
        })
        const closed = await Promise.all(readers.map((reader) => reader.way.close(reader.fd)))
        const counts = ['x', 'y', 'z'].map((byte) => `${total.split(byte).length - 1} ${byte}`)
        return { bytes: counts.join(', '), closed: closed.join(', ') }
      },
      right: { bytes: '30 x, 1 y, 1 z' },
    },
    {
      name: 'VMIN 10 and VTIME 5 with three bytes there',
      fault: 'A1',
      async run(way, lab) {
        const peer = await prepare(line, lab, 'min 10 time 5')
        const fd = await way.open(path, FLAGS)
        await peer.send('abc')
        const result = await lab.watch(() => way.read(fd, 64))
        await raw(lab, path)
        return { read: read(result), closed: await way.close(fd) }
      },
    },
    {
      name: 'a hang-up while a read is pending; then a read and a write',
      async run(way, lab) {
        await prepare(line, lab)
        const fd = await way.open(path, FLAGS)
        const result = await lab.watch(async () => {
          const pending = way.read(fd, 64)
          await lab.shell(`descriptors hangup ${path}`)
          return await pending
        })
        const next = await way.read(fd, 64)
        const write = await way.write(fd, pattern(1))
        return { read: read(result), next: read(next), write: written(write, 1), closed: await way.close(fd) }
      },
      right: { read: 'nothing, the end', next: 'nothing, the end', write: 'EIO', closed: 'ok' },
    },
  ]
}

/** What does not go out. */
export function stallRows(line: Line): Row[] {
  const { path, flood, unsent } = line
  return [
    {
      name: 'a write that nobody takes',
      fault: 'A1',
      async run(way, lab) {
        const peer = await prepare(line, lab)
        const fd = await way.open(path, FLAGS)
        await peer.hold()
        await peer.rescue(RESCUE_MILLISECONDS)
        const result = await lab.watch(() => way.write(fd, pattern(flood), { timeout: TIMEOUT_MILLISECONDS }))
        const ended = await howEnded(peer)
        await peer.drain()
        const closed = await way.close(fd)
        const arrived = await peer.received(result.count)
        return { taken: written(result, flood), ended, closed, arrived }
      },
      right: { taken: 'a part', ended: BY_ITSELF, arrived: WHOLE },
      differs: { taken: GIVES_UP, ended: GIVES_UP },
    },
    {
      name: 'a write that nobody takes, with O_NONBLOCK',
      fault: 'A1',
      async run(way, lab) {
        const peer = await prepare(line, lab)
        const fd = await way.open(path, FLAGS | O_NONBLOCK)
        await peer.hold()
        await peer.rescue(RESCUE_MILLISECONDS)
        // The line itself still takes some of what is in: who tries again too soon may find room for a few bytes more.
        let count = 0
        let full = ''
        await lab.watch(async () => {
          while (count < flood && full === '') {
            const bytes = pattern(flood).subarray(count)
            const result = await way.write(fd, bytes, { timeout: TIMEOUT_MILLISECONDS })
            if (result.error === undefined) count += result.count
            else full = result.error
          }
        })
        const ended = await howEnded(peer)
        await peer.drain()
        const closed = await way.close(fd)
        const arrived = await peer.received(count)
        return { taken: written({ count, bytes: NOTHING }, flood), full, ended, closed, arrived }
      },
      right: { taken: 'a part', full: 'TimeoutError', ended: BY_ITSELF, arrived: WHOLE, closed: 'ok' },
      differs: { full: WAITS },
    },
    {
      name: 'a close with unsent output',
      fault: 'A7',
      async run(way, lab) {
        const peer = await prepare(line, lab)
        const fd = await way.open(path, FLAGS | O_NONBLOCK)
        await peer.hold()
        await peer.rescue(RESCUE_MILLISECONDS)
        const result = await way.write(fd, pattern(unsent), { timeout: TIMEOUT_MILLISECONDS })
        const closed = await lab.watch(() => way.close(fd))
        const ended = await howEnded(peer)
        await peer.drain()
        const arrived = await peer.received(result.count)
        return { taken: written(result, unsent), closed, ended, arrived }
      },
      right: { closed: 'ok', arrived: WHOLE },
    },
    {
      name: 'a close whose output nobody takes, for the second that closing_wait is set to',
      fault: 'A7',
      async run(way, lab) {
        const peer = await prepare(line, lab)
        await lab.shell(`descriptors closing-wait ${path} ${CLOSING_WAIT.hundredths}`)
        const fd = await way.open(path, FLAGS | O_NONBLOCK)
        await peer.hold()
        await peer.rescue(RESCUE_MILLISECONDS)
        const result = await way.write(fd, pattern(unsent), { timeout: TIMEOUT_MILLISECONDS })
        const closed = await lab.watch(() => way.close(fd))
        const ended = await howEnded(peer)
        await peer.drain()
        // The driver gives up the rest: how much has gone out before is chance, and no more is sure than that it is the beginning.
        const arrived = await peer.received(0)
        await lab.shell(`descriptors closing-wait ${path} ${CLOSING_WAIT.default}`)
        const isIntact = !arrived.includes('damaged')
        return {
          taken: written(result, unsent),
          closed,
          ended,
          arrived: isIntact ? 'the beginning' : arrived,
        }
      },
      right: { closed: 'ok', ended: BY_ITSELF, arrived: 'the beginning' },
    },
    {
      name: 'other work while a close waits for unsent output',
      fault: 'F3',
      ways: ['fs', 'ring'],
      async run(way, lab) {
        const peer = await prepare(line, lab)
        const fd = await way.open(path, FLAGS | O_NONBLOCK)
        await peer.hold()
        await peer.rescue(RESCUE_MILLISECONDS)
        await way.write(fd, pattern(unsent), { timeout: TIMEOUT_MILLISECONDS })
        const { closing, work, ended } = await lab.watch(async () => {
          const pending = way.close(fd)
          const file = await way.open('/proc/version', O_RDONLY)
          // What a worker of the kernel does, where the way has any.
          const bytes =
            way.name === 'ring'
              ? (await lab.ring.read(file, Buffer.alloc(5), { async: true })).buffer
              : (await way.read(file, 5)).bytes
          const how = await howEnded(peer)
          await peer.drain()
          await way.close(file)
          return { closing: await pending, work: bytes.toString(), ended: how }
        })
        const arrived = await peer.received(unsent)
        return { closed: closing, work, ended, arrived }
      },
      right: { closed: 'ok', work: 'Linux', ended: BY_ITSELF, arrived: WHOLE },
    },
    {
      name: 'the process ends behind a close with unsent output',
      fault: 'F3',
      async run(way, lab) {
        const peer = await prepare(line, lab)
        await peer.hold()
        const child = lab.start(process.execPath, EXITS, way.name, path, String(unsent))
        const taken = await child.line()
        // Once there is unsent output: a process takes an emulated machine seconds to start.
        await peer.rescue(RESCUE_MILLISECONDS)
        const closed = await child.line()
        const status = await child.ended
        const ended = await howEnded(peer)
        await peer.drain()
        const arrived = await peer.received(unsent)
        return { taken, closed, ended, status: String(status), arrived }
      },
      right: { taken: String(unsent), closed: 'ok', ended: 'by the rescue', status: '0', arrived: WHOLE },
    },
    {
      name: 'an open while another process closes it',
      fault: 'F1',
      async run(way, lab) {
        // Before the rescue begins to count: a process takes an emulated machine seconds to start.
        const other = await lab.other()
        const peer = await prepare(line, lab)
        await peer.hold()
        await peer.rescue(RESCUE_MILLISECONDS)
        const theirs = await other.open(path, FLAGS | O_NONBLOCK)
        await other.write(theirs, pattern(unsent))
        const closing = other.close(theirs)
        await other.isIn(CLOSE)
        const { fd, outcome } = await lab.watch(() =>
          opened(way, way.open(path, FLAGS | O_NONBLOCK, { timeout: TIMEOUT_MILLISECONDS })),
        )
        const ended = await howEnded(peer)
        await peer.drain()
        await closing
        const closed = fd === undefined ? 'ok' : await way.close(fd)
        const arrived = await peer.received(unsent)
        return { opened: outcome, ended, closed, arrived }
      },
      right: { opened: 'TimeoutError', ended: BY_ITSELF, arrived: WHOLE },
      differs: { opened: GIVES_UP, ended: GIVES_UP },
    },
    {
      name: 'others close it while a read is pending, with unsent output; then the read is cancelled',
      fault: 'F4',
      ways: ['fs', 'ring'],
      async run(way, lab) {
        const peer = await prepare(line, lab)
        const fd = await way.open(path, FLAGS)
        await peer.hold()
        await peer.rescue(RESCUE_MILLISECONDS)
        await way.write(fd, pattern(unsent), { timeout: TIMEOUT_MILLISECONDS })
        const controller = new AbortController()
        const pending = way.read(fd, 64, { signal: controller.signal })
        await lab.ring.nop()
        const { closed, result } = await lab.watch(async () => {
          const byOthers = await new Promise<string>((resolve) => {
            close(fd, (error) => resolve(error?.code ?? 'ok'))
          })
          controller.abort()
          // Nothing else ends a read of node:fs's.
          if (way.name === 'fs') await peer.send('x')
          return { closed: byOthers, result: await pending }
        })
        const ended = await howEnded(peer)
        await peer.drain()
        const arrived = await peer.received(unsent)
        return { closed, read: read(result), ended, arrived }
      },
      right: { closed: 'ok', read: 'AbortError', ended: BY_ITSELF, arrived: WHOLE },
      differs: {
        read: 'a cancel ends it; that of node:fs waits for a byte',
        ended: 'the thread of node:fs that gives up the last reference waits for the output, too',
      },
    },
  ]
}

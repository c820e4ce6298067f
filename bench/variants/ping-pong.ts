/** One byte there and back: between two ends of this process, or to a process that echoes it. */
import { read as readCallback, write as writeCallback } from 'node:fs'
import { Socket } from 'node:net'

import { loadLibrary, makeRing, type Ring } from '../library.js'
import type { Settings } from '../protocol.js'
import { type Ends, inheritedPairs } from './pairs.js'
import { expect, type Program, timed } from './program.js'
import type { Recorder } from './recorder.js'

/** One end of a pair: sends a byte, and gets one. */
interface End {
  send: (byte: number) => Promise<void> | void
  receive: () => Promise<number>
}

interface Sides {
  near: End
  /** Not there if another process echoes. */
  far: End | undefined
}

/** So many round trips of one pair. The byte changes, so that a stale one is noticed. */
async function bounce(lane: number, { near, far }: Sides, trips: number, recorder?: Recorder): Promise<void> {
  const ping = async () => {
    for (let trip = 0; trip < trips; trip += 1) {
      const byte = trip & 255
      recorder?.began(lane)
      await near.send(byte)
      const back = await near.receive()
      recorder?.done(lane)
      expect('the byte that came back', back, byte)
    }
  }
  const pong = async (end: End) => {
    for (let trip = 0; trip < trips; trip += 1) await end.send(await end.receive())
  }
  await Promise.all(far === undefined ? [ping()] : [pong(far), ping()])
}

export async function pingPong(settings: Settings): Promise<Program> {
  const pairs = inheritedPairs()
  const isEchoed = settings.work === 'echo'
  if (settings.api === 'socket') return sockets(pairs, isEchoed)
  const endOf = await endMaker(settings)
  const sides = pairs.map((ends) => ({
    near: endOf(ends.nearIn, ends.nearOut),
    far: isEchoed ? undefined : endOf(ends.farIn, ends.farOut),
  }))
  return {
    run: (concurrency, operations, recorder) =>
      timed(() =>
        Promise.all(
          sides
            .slice(0, concurrency)
            .map((pair, lane) => bounce(lane, pair, share(operations, concurrency, lane), recorder)),
        ),
      ),
  }
}

/** A lane's part of the operations: the far end has to know how many come. */
function share(operations: number, concurrency: number, lane: number): number {
  return Math.floor(operations / concurrency) + (lane < operations % concurrency ? 1 : 0)
}

async function endMaker(settings: Settings): Promise<(input: number, output: number) => End> {
  if (settings.api === 'callback') return byCallback
  const ring = makeRing(await loadLibrary(), settings)
  return (input, output) => byRing(ring, settings, input, output)
}

function byRing(ring: Ring, { memory }: Settings, input: number, output: number): End {
  const make = () => (memory === 'core' ? ring.alloc(1) : Buffer.alloc(1))
  const [got, sent] = [make(), make()]
  return {
    async send(byte) {
      sent[0] = byte
      expect('bytes written', (await ring.write(output, sent, 0, 1)).bytesWritten, 1)
    },
    async receive() {
      expect('bytes read', (await ring.read(input, got, 0, 1)).bytesRead, 1)
      return got[0] ?? -1
    },
  }
}

/** By the callbacks of node:fs, each a job of the thread pool. */
function byCallback(input: number, output: number): End {
  const [got, sent] = [Buffer.alloc(1), Buffer.alloc(1)]
  return {
    send: (byte) =>
      new Promise((resolve, reject) => {
        sent[0] = byte
        writeCallback(output, sent, 0, 1, null, (error) => (error ? reject(error) : resolve()))
      }),
    receive: () =>
      new Promise((resolve, reject) => {
        readCallback(input, got, 0, 1, null, (error) => (error ? reject(error) : resolve(got[0] ?? -1)))
      }),
  }
}

/** A socket, or one for each direction where the pair is two pipes. */
function socketsOf(input: number, output: number): { reader: Socket; writer: Socket } {
  if (input === output) {
    const socket = new Socket({ fd: input, readable: true, writable: true })
    return { reader: socket, writer: socket }
  }
  return {
    reader: new Socket({ fd: input, readable: true, writable: false }),
    writer: new Socket({ fd: output, readable: false, writable: true }),
  }
}

/** By the events of net.Socket, without promises: as fast as it goes. */
function sockets(pairs: Ends[], isEchoed: boolean): Program {
  const lanes = pairs.map((ends) => {
    const near = socketsOf(ends.nearIn, ends.nearOut)
    if (!isEchoed) {
      const far = socketsOf(ends.farIn, ends.farOut)
      far.reader.on('data', (bytes) => far.writer.write(bytes))
    }
    return near
  })
  /** One lane's round trips. */
  const trips = (lane: number, count: number, recorder: Recorder | undefined) =>
    new Promise<void>((resolve, reject) => {
      const near = lanes[lane]
      if (near === undefined || count === 0) {
        resolve()
        return
      }
      const sent = Buffer.alloc(1)
      let done = 0
      const ping = () => {
        sent[0] = done & 255
        recorder?.began(lane)
        near.writer.write(sent)
      }
      const onData = (bytes: Buffer) => {
        recorder?.done(lane)
        if (bytes.length !== 1 || bytes[0] !== (done & 255))
          reject(new Error(`not the byte sent: ${bytes[0]}`))
        done += 1
        if (done < count) {
          ping()
          return
        }
        near.reader.off('data', onData)
        resolve()
      }
      near.reader.on('data', onData)
      ping()
    })
  return {
    run: (concurrency, operations, recorder) =>
      timed(() =>
        Promise.all(
          Array.from({ length: concurrency }, (_, lane) =>
            trips(lane, share(operations, concurrency, lane), recorder),
          ),
        ),
      ),
  }
}

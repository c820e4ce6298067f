/** Ping-pong by the events of net.Socket, without promises: as fast as it goes. */
import { Socket } from 'node:net'

import type { Recorder } from '../recorder.js'
import { byteOf, type Lane } from './lane.js'
import type { Ends } from './pairs.js'

interface End {
  reader: Socket
  writer: Socket
}

/** A socket, or one for each direction where the pair is two pipes. */
function endOf(input: number, output: number): End {
  if (input === output) {
    const socket = new Socket({ fd: input, readable: true, writable: true })
    return { reader: socket, writer: socket }
  }
  return {
    reader: new Socket({ fd: input, readable: true, writable: false }),
    writer: new Socket({ fd: output, readable: false, writable: true }),
  }
}

export function socketLanes(pairs: Ends[], isEchoed: boolean): Lane[] {
  return pairs.map(({ nearIn, nearOut, farIn, farOut }, lane) => {
    const near = endOf(nearIn, nearOut)
    if (!isEchoed) {
      const far = endOf(farIn, farOut)
      far.reader.on('data', (bytes) => far.writer.write(bytes))
    }
    return (trips, recorder) => bounce(lane, near, trips, recorder)
  })
}

function bounce(lane: number, near: End, trips: number, recorder: Recorder | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (trips === 0) {
      resolve()
      return
    }
    const sent = Buffer.alloc(1)
    let trip = 0
    const ping = () => {
      sent[0] = byteOf(trip)
      recorder?.began(lane)
      near.writer.write(sent)
    }
    const onData = (bytes: Buffer) => {
      recorder?.done(lane)
      if (bytes.length !== 1 || bytes[0] !== byteOf(trip)) {
        reject(new Error(`${bytes.toString('hex')} came back, which is not what was sent`))
        return
      }
      trip += 1
      if (trip < trips) {
        ping()
        return
      }
      near.reader.off('data', onData)
      resolve()
    }
    near.reader.on('data', onData)
    ping()
  })
}

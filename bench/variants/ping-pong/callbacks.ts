/** Ping-pong by the callbacks of node:fs, each call a job of the thread pool. */
import { read, write } from 'node:fs'

import { byteOf, type Lane } from './lane.js'
import type { Ends } from './pairs.js'

type Next = () => void

export function callbackLanes(pairs: Ends[], isEchoed: boolean): Lane[] {
  return pairs.map(({ nearIn, nearOut, farIn, farOut }, lane) => {
    const [sent, got, relayed] = [Buffer.alloc(1), Buffer.alloc(1), Buffer.alloc(1)]
    const pong = (trips: number) => {
      let left = trips
      return loop((next, fail) => {
        if (left === 0) return false
        left -= 1
        receive(farIn, relayed, fail, () => send(farOut, relayed, fail, next))
        return true
      })
    }
    const ping: Lane = (trips, recorder) => {
      let trip = 0
      return loop((next, fail) => {
        if (trip === trips) return false
        const byte = byteOf(trip)
        trip += 1
        sent[0] = byte
        recorder?.began(lane)
        send(nearOut, sent, fail, () =>
          receive(nearIn, got, fail, () => {
            recorder?.done(lane)
            if (got[0] === byte) next()
            else fail(new Error(`${got[0]} came back instead of ${byte}`))
          }),
        )
        return true
      })
    }
    return isEchoed ? ping : (trips, recorder) => Promise.all([pong(trips), ping(trips, recorder)])
  })
}

/** Runs `step` again and again, until it has nothing more to do. */
function loop(step: (next: Next, fail: (error: Error) => void) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = () => {
      if (!step(next, reject)) resolve()
    }
    next()
  })
}

function send(fd: number, bytes: Buffer, fail: (error: Error) => void, next: Next): void {
  write(fd, bytes, 0, 1, null, (error, count) => settle(error, count, fail, next))
}

function receive(fd: number, bytes: Buffer, fail: (error: Error) => void, next: Next): void {
  read(fd, bytes, 0, 1, null, (error, count) => settle(error, count, fail, next))
}

function settle(error: Error | null, count: number, fail: (error: Error) => void, next: Next): void {
  if (error) fail(error)
  else if (count === 1) next()
  else fail(new Error(`${count} bytes instead of one`))
}

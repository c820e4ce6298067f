/** What a lane of a ping-pong is. */
import type { Recorder } from '../recorder.js'

/** One pair: so many round trips. */
export type Lane = (trips: number, recorder: Recorder | undefined) => Promise<unknown>

/** The byte of a round trip: it changes with each, so that a stale one is noticed. */
export function byteOf(trip: number): number {
  return trip & 255
}

/** A read of an empty eventfd, and its cancellation. */
import { type Library, loadLibrary, makeRing, type Ring } from '../library.js'
import type { Settings } from '../protocol.js'
import { expect, type Program, promiseLanes, timed } from './program.js'
import type { Recorder } from './recorder.js'

/** What a read of an eventfd needs. */
const NUMBER_BYTES = 8
const RESOLVE = { length: NUMBER_BYTES, onCancel: 'resolve' } as const

export async function cancel(settings: Settings): Promise<Program> {
  const library = await loadLibrary(settings)
  const ring = makeRing(library, settings)
  const events: number[] = []
  const prepare = (concurrency: number) => {
    while (events.length < concurrency) events.push(library.eventfd())
  }
  const eventOf = (lane: number) => events[lane] ?? -1
  return { prepare, run: runBy(settings, library, ring, eventOf) }
}

function runBy(
  { by = 'handle', timeout = 0 }: Settings,
  library: Library,
  ring: Ring,
  eventOf: (lane: number) => number,
): Program['run'] {
  const { CANCELLED } = library
  const atTimeout = { ...RESOLVE, timeout: timeout / 1000 }
  const check = (_lane: number, result: unknown) => {
    if (result !== CANCELLED) throw new Error(`a read of an empty eventfd gave ${String(result)}`)
  }
  /** What became of a read that is to reject. */
  const rejection = async (reading: Promise<unknown>): Promise<unknown> => {
    try {
      return await reading
    } catch (error) {
      return error instanceof Error && error.name === 'AbortError' ? CANCELLED : error
    }
  }
  switch (by) {
    case 'handle':
      return promiseLanes((lane) => {
        const reading = ring.read(eventOf(lane), RESOLVE)
        void ring.cancel(reading)
        return reading
      }, check)
    case 'own-resolve':
      return promiseLanes((lane) => {
        const controller = new AbortController()
        const reading = ring.read(eventOf(lane), {
          length: NUMBER_BYTES,
          onCancel: 'resolve',
          signal: controller.signal,
        })
        controller.abort()
        return reading
      }, check)
    case 'own-reject':
      return promiseLanes((lane) => {
        const controller = new AbortController()
        const reading = ring.read(eventOf(lane), { length: NUMBER_BYTES, signal: controller.signal })
        controller.abort()
        return rejection(reading)
      }, check)
    case 'shared-resolve':
      return sharedSignal(
        (lane, signal) => ring.read(eventOf(lane), { length: NUMBER_BYTES, onCancel: 'resolve', signal }),
        check,
      )
    case 'shared-reject':
      return sharedSignal(
        (lane, signal) => rejection(ring.read(eventOf(lane), { length: NUMBER_BYTES, signal })),
        check,
      )
    case 'timeout':
      return promiseLanes((lane) => ring.read(eventOf(lane), atTimeout), check)
    default:
      throw new Error(`no such way to cancel: ${String(by)}`)
  }
}

/** All lanes read with one signal, which aborts; then all again with the next. */
function sharedSignal(
  begin: (lane: number, signal: AbortSignal) => Promise<unknown>,
  check: (lane: number, result: unknown) => void,
): Program['run'] {
  return (concurrency, operations, recorder) =>
    timed(async () => {
      for (let left = operations; left > 0; left -= concurrency) {
        await batch(Math.min(left, concurrency), begin, check, recorder)
      }
    })
}

async function batch(
  lanes: number,
  begin: (lane: number, signal: AbortSignal) => Promise<unknown>,
  check: (lane: number, result: unknown) => void,
  recorder: Recorder | undefined,
): Promise<void> {
  const controller = new AbortController()
  const readings = Array.from({ length: lanes }, (_, lane) => {
    recorder?.began(lane)
    return begin(lane, controller.signal)
  })
  controller.abort()
  for (const [lane, reading] of readings.entries()) {
    const result = await reading
    recorder?.done(lane)
    check(lane, result)
  }
  expect('an aborted signal', controller.signal.aborted, true)
}

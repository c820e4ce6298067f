/** One byte there and back: between two ends of this process, or to a process that echoes it. */
import type { Settings } from '../../protocol.js'
import { type Program, share, timed } from '../program.js'
import { callbackLanes } from './callbacks.js'
import { inheritedPairs } from './pairs.js'
import { ringLanes } from './ring.js'
import { socketLanes } from './sockets.js'

export async function pingPong(settings: Settings): Promise<Program> {
  const pairs = inheritedPairs()
  const isEchoed = settings.work === 'echo'
  const lanes =
    settings.api === 'socket'
      ? socketLanes(pairs, isEchoed)
      : settings.api === 'callback'
        ? callbackLanes(pairs, isEchoed)
        : await ringLanes(pairs, isEchoed, settings)
  return {
    run: (concurrency, operations, recorder) =>
      timed(() =>
        Promise.all(
          lanes
            .slice(0, concurrency)
            .map((lane, index) => lane(share(operations, concurrency, index), recorder)),
        ),
      ),
  }
}

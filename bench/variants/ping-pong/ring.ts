/** Ping-pong by the ring: a chain of awaits for each end. */
import { loadLibrary, makeRing } from '../../library.js'
import type { Settings } from '../../protocol.js'
import { expect } from '../program.js'
import { byteOf, type Lane } from './lane.js'
import type { Ends } from './pairs.js'

export async function ringLanes(pairs: Ends[], isEchoed: boolean, settings: Settings): Promise<Lane[]> {
  const ring = makeRing(await loadLibrary(settings), settings)
  const make = () => (settings.memory === 'core' ? ring.alloc(1) : Buffer.alloc(1))
  return pairs.map(({ nearIn, nearOut, farIn, farOut }, lane) => {
    const [sent, got, relayed] = [make(), make(), make()]
    const pong = async (trips: number) => {
      for (let trip = 0; trip < trips; trip += 1) {
        const { bytesRead } = await ring.read(farIn, relayed, 0, 1)
        expect('bytes read', bytesRead, 1)
        const { bytesWritten } = await ring.write(farOut, relayed, 0, 1)
        expect('bytes written', bytesWritten, 1)
      }
    }
    const ping: Lane = async (trips, recorder) => {
      for (let trip = 0; trip < trips; trip += 1) {
        const byte = byteOf(trip)
        sent[0] = byte
        recorder?.began(lane)
        const { bytesWritten } = await ring.write(nearOut, sent, 0, 1)
        expect('bytes written', bytesWritten, 1)
        const { bytesRead } = await ring.read(nearIn, got, 0, 1)
        recorder?.done(lane)
        expect('bytes read', bytesRead, 1)
        expect('the byte that came back', got[0], byte)
      }
    }
    return isEchoed ? ping : (trips, recorder) => Promise.all([pong(trips), ping(trips, recorder)])
  })
}

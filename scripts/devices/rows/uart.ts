/** A 16550 UART, the second serial line of the machine; and another one on a PCI card, which can be pulled out. */
import type { Device, Row } from '../row.js'
import { lineRows, raw } from './line.js'
import { hostPeer, WHOLE } from './peer.js'
import { pattern, written } from './values.js'

const PATH = '/dev/ttyS1'
/** 9600 baud: with a start and a stop bit ten bits a byte. */
const BYTES_PER_SECOND = 960
/** Two seconds of it: more than the driver's buffer of a page is not wanted here. */
const SLOW_BYTES = 6000

const slowly: Row = {
  name: `a write of ${SLOW_BYTES} bytes at 9600 baud`,
  fault: 'A1',
  async run(way, lab) {
    const peer = hostPeer(lab, 'uart')
    await raw(lab, PATH)
    const fd = await way.open(PATH, 0o2 | 0o400)
    await peer.drain(BYTES_PER_SECOND)
    const result = await lab.watch(() => way.write(fd, pattern(SLOW_BYTES)))
    const arrived = await peer.received(SLOW_BYTES)
    await peer.drain()
    return { taken: written(result, SLOW_BYTES), arrived, closed: await way.close(fd) }
  },
  right: { taken: 'all', arrived: WHOLE },
}

export const UART: Device = {
  name: 'uart',
  what: 'a 16550 UART, /dev/ttyS1; the host is at the other end',
  rows: [
    ...lineRows({
      path: PATH,
      ready: async (lab) => {
        const peer = hostPeer(lab, 'uart')
        await peer.drain()
        // What an earlier row left.
        await peer.received(0)
        return peer
      },
      flood: 65_536,
      unsent: 2000,
    }),
    slowly,
  ],
}

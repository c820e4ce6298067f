/** A USB serial line whose both ends are the guest's own: ttyACM0 of the host controller, ttyGS0 of the gadget. */
import { constants } from 'node:fs'

import { LATE } from '../modules.js'
import type { Device, Lab, Row } from '../row.js'
import { type Line, raw, readRows } from './line.js'
import { guestPeer } from './peer.js'
import { isThere, unplugRows } from './unplug.js'
import { pattern, written } from './values.js'

const PATH = '/dev/ttyACM0'
const OTHER_END = '/dev/ttyGS0'

async function plug(lab: Lab): Promise<string> {
  await lab.load(LATE.serialGadget)
  await lab.until(PATH, () => isThere(PATH) && isThere(OTHER_END))
  await raw(lab, OTHER_END)
  // Its node is there before its driver is ready.
  const isReady = () =>
    raw(lab, PATH).then(
      () => true,
      () => false,
    )
  await lab.until(`${PATH} to be ready`, isReady)
  return PATH
}

const line: Line = {
  path: PATH,
  ready: async (lab) => {
    await plug(lab)
    const peer = guestPeer(lab, OTHER_END)
    await peer.drain()
    await peer.received(0)
    return peer
  },
  flood: 1 << 20,
  unsent: 2000,
}

/** The other end is closed; what ends a call that waits is that the line is pulled out, after so many seconds. */
const frozen: Row = {
  name: 'a write that nobody takes, until the line is unplugged',
  fault: 'A1',
  async run(way, lab) {
    const peer = await line.ready(lab)
    const fd = await way.open(PATH, constants.O_RDWR | constants.O_NOCTTY)
    await peer.hold()
    const unplugged = lab.shell('sleep 3; rmmod g_serial')
    let isOut = false
    void unplugged.finally(() => (isOut = true))
    const result = await lab.watch(() => way.write(fd, pattern(line.flood), { timeout: 300 }))
    const ended = isOut ? 'by the end of the line' : 'by itself'
    await unplugged
    return { taken: written(result, line.flood), ended, closed: await way.close(fd) }
  },
  right: { taken: 'a part', ended: 'by itself', closed: 'ok' },
  differs: {
    taken: 'a timeout ends it; the others wait until the line is gone',
    ended: 'a timeout ends it; the others wait until the line is gone',
  },
}

export const ACM: Device = {
  name: 'usb gadget serial',
  what: 'a USB modem line, /dev/ttyACM0, by dummy_hcd and g_serial; its other end is /dev/ttyGS0. What the gadget has taken is lost when that is closed, so that the rows on unsent output are those of the UART',
  rows: [
    ...readRows(line),
    frozen,
    ...unplugRows({ plug, unplug: async (lab) => void (await lab.shell('rmmod g_serial')) }),
  ],
}

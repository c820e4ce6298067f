/** A USB serial line whose both ends are the guest's own: ttyACM0 of the host controller, ttyGS0 of the gadget. */
import { LATE } from '../modules.js'
import type { Device, Lab } from '../row.js'
import { type Line, raw, readRows, stallRows } from './line.js'
import { guestPeer } from './peer.js'
import { isThere, unplugRows } from './unplug.js'

const PATH = '/dev/ttyACM0'
const OTHER_END = '/dev/ttyGS0'

async function plug(lab: Lab): Promise<string> {
  await lab.load(LATE.serialGadget)
  await lab.until(PATH, () => isThere(PATH) && isThere(OTHER_END))
  await raw(lab, OTHER_END)
  await raw(lab, PATH)
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

export const ACM: Device = {
  name: 'usb gadget serial',
  what: 'a USB modem line, /dev/ttyACM0, by dummy_hcd and g_serial; its other end, /dev/ttyGS0, is closed where a row lets nobody take anything',
  rows: [
    ...readRows(line),
    ...stallRows(line),
    ...unplugRows({ plug, unplug: async (lab) => void (await lab.shell('rmmod g_serial')) }),
  ],
}

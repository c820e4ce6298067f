/** A 16550 UART, the second serial line of the machine; and another one on a PCI card, which can be pulled out. */
import { constants } from 'node:fs'
import { basename } from 'node:path'

import type { Device, Lab, Row } from '../row.js'
import { PLUGS } from '../machine.js'
import { type Line, raw, readRows, stallRows } from './line.js'
import { hostPeer, WHOLE } from './peer.js'
import { isThere, plugIn, unplugRows } from './unplug.js'
import { pattern, written } from './values.js'

const PATH = '/dev/ttyS1'
/** 9600 baud: with a start and a stop bit ten bits a byte. */
const BYTES_PER_SECOND = 960
/** More than the page that the driver has for output. */
const SLOW_BYTES = 6000

const slowly: Row = {
  name: `a write of ${SLOW_BYTES} bytes at 9600 baud`,
  fault: 'A1',
  async run(way, lab) {
    const peer = hostPeer(lab, 'uart')
    await raw(lab, PATH)
    const fd = await way.open(PATH, constants.O_RDWR | constants.O_NOCTTY)
    await peer.drain(BYTES_PER_SECOND)
    const result = await lab.watch(() => way.write(fd, pattern(SLOW_BYTES)))
    const arrived = await peer.received(SLOW_BYTES)
    await peer.drain()
    return { taken: written(result, SLOW_BYTES), arrived, closed: await way.close(fd) }
  },
  right: { taken: 'all', arrived: WHOLE },
}

const LINE: Line = {
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
}

export const UART: Device = {
  name: 'uart',
  what: 'a 16550 UART, /dev/ttyS1; the host is at the other end',
  rows: [...readRows(LINE), ...stallRows(LINE), slowly],
}

/** The number of the card's line is the first that is free; those without hardware have nodes as well. */
async function card(lab: Lab): Promise<string> {
  const lines = await lab.shell('for line in /sys/class/tty/ttyS*; do readlink -f $line; done')
  const found = lines.split('\n').find((line) => line.includes('/pci'))
  return found === undefined ? '' : `/dev/${basename(found)}`
}

async function plugCard(lab: Lab): Promise<string> {
  if ((await card(lab)) === '') await plugIn(lab, PLUGS.pci)
  await lab.until('the UART on the card', async () => isThere(await card(lab)))
  const path = await card(lab)
  await raw(lab, path)
  return path
}

export const PCI_UART: Device = {
  name: 'uart on a card',
  what: 'a 16550 UART on a PCI card',
  rows: unplugRows({
    plug: plugCard,
    unplug: async (lab) => {
      await lab.host('monitor device_del pci0')
      await lab.until('the end of it', async () => (await card(lab)) === '')
    },
  }),
}

const USB = '/dev/ttyUSB0'

async function plugUsb(lab: Lab): Promise<string> {
  if (!isThere(USB)) await plugIn(lab, PLUGS.ftdi)
  await lab.until(USB, () => isThere(USB))
  await raw(lab, USB)
  return USB
}

export const USB_SERIAL: Device = {
  name: 'usb serial',
  what: 'an FTDI serial line on USB, /dev/ttyUSB0; where its other end takes nothing QEMU itself stands still, so that no row lets it',
  rows: [
    ...readRows({
      path: USB,
      ready: async (lab) => {
        await plugUsb(lab)
        const peer = hostPeer(lab, 'ftdi')
        await peer.received(0)
        return peer
      },
      flood: 0,
      unsent: 0,
    }),
    ...unplugRows({
      plug: plugUsb,
      unplug: async (lab) => {
        await lab.host('monitor device_del ftdi0')
        await lab.until('the end of it', () => !isThere(USB))
      },
    }),
  ],
}

/** HID devices, by hidraw: one that the guest makes itself by uhid, and a gadget on USB that stops taking reports. */
import { constants, readdirSync, readFileSync } from 'node:fs'

import { LATE } from '../modules.js'
import type { Device, Lab, Result, Row } from '../row.js'
import { sourceRows } from './source.js'
import { isThere } from './unplug.js'

const HIDRAW = '/sys/class/hidraw'
const REPORT_BYTES = 8

/** Reports of eight bytes, in and out, that mean nothing to the kernel. */
const DESCRIPTOR = Buffer.from('0600ff0901a101150026ff00750895080901810209019102c0', 'hex')

/** The device whose uevent says so; undefined if there is none. */
function hidrawWith(text: string): string | undefined {
  const found = readdirSync(HIDRAW).find((entry) => {
    try {
      return readFileSync(`${HIDRAW}/${entry}/device/uevent`, 'utf8').includes(text)
    } catch {
      // It has just gone.
      return false
    }
  })
  return found && `/dev/${found}`
}

async function hidrawAt(lab: Lab, text: string): Promise<string> {
  await lab.until(`a HID device with ${text}`, () => hidrawWith(text) !== undefined)
  const at = hidrawWith(text) ?? ''
  await lab.until(at, () => isThere(at))
  return at
}

const NAME = 'HID_NAME=lab'

/** `uhid_event` of UHID_CREATE2: 128 bytes of name, 64 of where, 64 of serial number, then numbers and the descriptor. */
function create(): string {
  const event = Buffer.alloc(4 + 128 + 64 + 64 + 4 + 4 * 4)
  event.writeUInt32LE(11, 0)
  event.write('lab', 4)
  event.writeUInt16LE(DESCRIPTOR.length, 260)
  // On USB.
  event.writeUInt16LE(3, 262)
  event.writeUInt32LE(0x1234, 264)
  event.writeUInt32LE(1, 268)
  return Buffer.concat([event, DESCRIPTOR]).toString('latin1')
}

/** UHID_INPUT2: the size, and the report. */
function input(report: string): string {
  const event = Buffer.alloc(6)
  event.writeUInt32LE(12, 0)
  event.writeUInt16LE(report.length, 4)
  return event.toString('latin1') + report
}

const tell = (bytes: Buffer) => JSON.stringify(bytes.toString('latin1'))

export const UHID: Device = {
  name: 'uhid',
  what: 'a HID device that another process of the guest makes by /dev/uhid, by hidraw',
  rows: sourceRows({
    plug: async (lab) => {
      await lab.until('the end of an earlier device', () => hidrawWith(NAME) === undefined)
      const device = lab.start('/bin/sh', '-c', 'exec cat >/dev/uhid')
      device.send(create())
      const at = await hidrawAt(lab, NAME)
      return { at, happen: () => Promise.resolve(device.send(input('areport!'))), unplug: () => device.end() }
    },
    size: REPORT_BYTES * 8,
    tell,
    unplugged: 'EIO',
  }),
}

const GADGET = '/sys/kernel/config/usb_gadget/lab'
/** Of the vendor and the product that the gadget is. */
const GADGET_ID = '00001D6B:00000104'
/** Reports that the other end keeps for who reads it: one more waits. */
const ROOM = 4
/** The driver's own limit for a report, which nobody can cut short: 5 s. */
const DRIVER_SECONDS = '5 s is what the driver gives a report, and no cancel reaches it'

async function plugGadget(lab: Lab): Promise<string> {
  await lab.shell('rmmod g_serial 2>/dev/null || true')
  await lab.load(LATE.hidGadget)
  const descriptor = [...DESCRIPTOR].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
  await lab.shell(`set -e
[ -d /sys/kernel/config/usb_gadget ] || mount -t configfs none /sys/kernel/config
if [ ! -d ${GADGET} ]; then
  mkdir ${GADGET}
  echo 0x1d6b >${GADGET}/idVendor
  echo 0x0104 >${GADGET}/idProduct
  mkdir ${GADGET}/configs/c.1 ${GADGET}/functions/hid.0
  echo ${REPORT_BYTES} >${GADGET}/functions/hid.0/report_length
  printf '${descriptor}' >${GADGET}/functions/hid.0/report_desc
  ln -s ${GADGET}/functions/hid.0 ${GADGET}/configs/c.1/
fi
[ -n "$(cat ${GADGET}/UDC)" ] || echo dummy_udc.0 >${GADGET}/UDC`)
  return hidrawAt(lab, GADGET_ID)
}

async function unplugGadget(lab: Lab): Promise<void> {
  await lab.shell(`echo >${GADGET}/UDC`)
}

const wordOf = ({ count, error }: Result) => error ?? `${count} bytes`

/** The device is full, and what is written now waits in the driver. */
function fullRow(name: string, flags: number, close: boolean): Row {
  return {
    name,
    fault: flags === 0 ? 'F6' : 'F2',
    async run(way, lab) {
      // Anew, and thereby empty.
      const before = hidrawWith(GADGET_ID)
      if (before !== undefined) {
        await unplugGadget(lab)
        await lab.until('its end', () => hidrawWith(GADGET_ID) === undefined)
      }
      const at = await plugGadget(lab)
      const fd = await way.open(at, constants.O_RDWR | flags)
      const report = Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8])
      const filled: string[] = []
      for (let count = 0; count < ROOM; count += 1) filled.push(wordOf(await way.write(fd, report)))
      const { full, closed } = await lab.watch(async () => {
        const pending = way.write(fd, report, { timeout: 300 })
        // Beside the write or behind it: the close of a descriptor does not wait for either.
        if (close && way.name === 'ring') {
          const byClose = await way.close(fd)
          return { full: wordOf(await pending), closed: byClose }
        }
        const result = wordOf(await pending)
        return { full: result, closed: await way.close(fd) }
      })
      await unplugGadget(lab)
      return { filled: filled.join(', '), full, closed }
    },
    right: {
      filled: Array<string>(ROOM).fill('9 bytes').join(', '),
      full: 'ETIMEDOUT|TimeoutError|AbortError',
      closed: 'ok',
    },
    differs: { full: DRIVER_SECONDS },
  }
}

export const HID_GADGET: Device = {
  name: 'usb hid',
  what: 'a HID device on USB, by usbhid and hidraw: a gadget by dummy_hcd and usb_f_hid, whose other end, /dev/hidg0, nobody reads',
  rows: [
    ...sourceRows({
      plug: async (lab) => ({
        at: await plugGadget(lab),
        happen: async () => void (await lab.shell('printf hidinput >/dev/hidg0')),
        unplug: () => unplugGadget(lab),
      }),
      size: REPORT_BYTES * 8,
      tell,
      unplugged: 'EIO',
    }),
    fullRow('a report that the device does not take', 0, false),
    fullRow('a report that the device does not take, with O_NONBLOCK', constants.O_NONBLOCK, false),
    fullRow('a close behind a report that the device does not take', 0, true),
  ],
}

/** Keyboards: of virtio, of USB, and one that the guest makes itself by uinput. */
import { readdirSync, readFileSync } from 'node:fs'

import { PLUGS } from '../machine.js'
import type { Device, Lab } from '../row.js'
import { type Source, sourceRows } from './source.js'
import { isThere, plugIn } from './unplug.js'

/** `input_event`: two times of eight bytes, the type, the code, the value. */
const EVENT_BYTES = 24
const EV_KEY = 1
const KEY_A = 30

const INPUTS = '/sys/class/input'

/** The device of the keyboard with that name; undefined if there is none. */
function keyboardNamed(name: string): string | undefined {
  const found = readdirSync(INPUTS).find((entry) => entry.startsWith('event') && nameOf(entry) === name)
  return found && `/dev/input/${found}`
}

function nameOf(entry: string): string {
  try {
    return readFileSync(`${INPUTS}/${entry}/device/name`, 'utf8').trim()
  } catch {
    // It has just gone.
    return ''
  }
}

/** The key that went down and up; nothing as long as it is down. */
function keys(bytes: Buffer): string {
  const all: string[] = []
  for (let at = 0; at + EVENT_BYTES <= bytes.length; at += EVENT_BYTES) {
    const [type, code, value] = [
      bytes.readUInt16LE(at + 16),
      bytes.readUInt16LE(at + 18),
      bytes.readInt32LE(at + 20),
    ]
    if (type === EV_KEY) all.push(`${code} ${value === 1 ? 'down' : 'up'}`)
  }
  return all.at(-1)?.endsWith('up') === true ? all.join(', ') : ''
}

function qemuKeyboard(name: string, plug: keyof typeof PLUGS, id: string, others: string[]): Source {
  return {
    plug: async (lab) => {
      // QEMU gives keys to the keyboard that came last.
      for (const other of others) await lab.host(`monitor device_del ${other}`)
      if (keyboardNamed(name) === undefined) await plugIn(lab, PLUGS[plug])
      await lab.until(name, () => keyboardNamed(name) !== undefined)
      const at = keyboardNamed(name) ?? ''
      await lab.until(at, () => isThere(at))
      return {
        at,
        happen: async () => void (await lab.host('monitor sendkey a 20')),
        unplug: async () => {
          await lab.host(`monitor device_del ${id}`)
          await lab.until(`the end of ${name}`, () => keyboardNamed(name) === undefined)
        },
      }
    },
    size: EVENT_BYTES * 16,
    tell: keys,
    unplugged: 'ENODEV',
  }
}

/** A report of events as the guest's own keyboard makes them. */
function event(type: number, code: number, value: number): Buffer {
  const bytes = Buffer.alloc(EVENT_BYTES)
  bytes.writeUInt16LE(type, 16)
  bytes.writeUInt16LE(code, 18)
  bytes.writeInt32LE(value, 20)
  return bytes
}

const PRESS = Buffer.concat([
  event(EV_KEY, KEY_A, 1),
  event(0, 0, 0),
  event(EV_KEY, KEY_A, 0),
  event(0, 0, 0),
]).toString('latin1')

/** The first of those that `descriptors` makes. */
const OWN = 'lab0'

async function plugOwn(lab: Lab) {
  await lab.until(`the end of an earlier ${OWN}`, () => keyboardNamed(OWN) === undefined)
  const keyboard = lab.start('descriptors', 'keyboard', '1', '/bin/sh', '-c', 'exec cat >&100')
  await lab.until(OWN, () => keyboardNamed(OWN) !== undefined)
  const at = keyboardNamed(OWN) ?? ''
  await lab.until(at, () => isThere(at))
  return { at, happen: () => Promise.resolve(keyboard.send(PRESS)), unplug: () => keyboard.end() }
}

export const VIRTIO_KEYBOARD: Device = {
  name: 'keyboard',
  what: 'a keyboard of virtio, by evdev; the host presses its keys',
  rows: sourceRows(qemuKeyboard('QEMU Virtio Keyboard', 'virtioKeyboard', 'virtiokeyboard0', [])),
}

export const USB_KEYBOARD: Device = {
  name: 'usb keyboard',
  what: 'a keyboard on USB, by usbhid and evdev; the host presses its keys',
  rows: sourceRows(
    qemuKeyboard('QEMU QEMU USB Keyboard', 'usbKeyboard', 'usbkeyboard0', ['virtiokeyboard0']),
  ),
}

export const OWN_KEYBOARD: Device = {
  name: 'uinput',
  what: 'a keyboard that another process of the guest makes by /dev/uinput',
  rows: sourceRows({ plug: plugOwn, size: EVENT_BYTES * 16, tell: keys, unplugged: 'ENODEV' }),
}

/** All devices, in the order in which they run. */
import type { Device } from '../row.js'
import { ACM } from './acm.js'
import { GPIO, HWRNG, PORT, TAP, WATCHDOG } from './chips.js'
import { NVME, SCSI } from './disks.js'
import { HID_GADGET, UHID } from './hid.js'
import { OWN_KEYBOARD, USB_KEYBOARD, VIRTIO_KEYBOARD } from './keyboards.js'
import { PCI_UART, UART, USB_SERIAL } from './uart.js'

export const DEVICES: readonly Device[] = [
  UART,
  PCI_UART,
  USB_SERIAL,
  ACM,
  VIRTIO_KEYBOARD,
  USB_KEYBOARD,
  OWN_KEYBOARD,
  UHID,
  HID_GADGET,
  HWRNG,
  PORT,
  GPIO,
  WATCHDOG,
  TAP,
  NVME,
  SCSI,
]

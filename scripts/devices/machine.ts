/** The devices of the guest, as QEMU is told of them. */
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Those whose other end is a socket of the host's: the guest's lines, and the channel by which it asks for things. */
export const CHANNELS = ['uart', 'pci', 'ftdi', 'port', 'entropy'] as const
export type ChannelName = (typeof CHANNELS)[number]
export const CONTROL = 'control'
export const MONITOR = 'monitor'

/** Room for what rows read and write. */
const DISK_BYTES = 64 << 20
/** So slow that a read of a MiB is still on its way when its cancel comes. */
const DISK_BYTES_PER_SECOND = 1 << 20

/** What a plug of each kind is called, so that it can be pulled out and put in again. */
export const PLUGS = {
  pci: 'pci-serial,chardev=pci,id=pci0',
  ftdi: 'usb-serial,id=ftdi0,chardev=ftdi,bus=usb.0',
  usbKeyboard: 'usb-kbd,id=usbkeyboard0,bus=usb.0',
  virtioKeyboard: 'virtio-keyboard-pci,id=virtiokeyboard0',
  port: 'virtserialport,bus=serial.0,chardev=port,name=port,id=port0',
  entropy: 'virtio-rng-pci,rng=entropy0,id=entropy0',
  nvme: 'nvme,drive=nvme,serial=lab,id=nvme0',
  scsi: 'scsi-hd,drive=scsi,bus=scsi.0,id=scsi0',
} as const

function device(text: string): string[] {
  return ['-device', text]
}

/** The arguments; the sockets and disks are made in the directory, whose path must be short. */
export function machineArguments(directory: string): string[] {
  const socket = (name: string) => `socket,id=${name},path=${join(directory, name)},server=on,wait=off`
  const disk = (name: string) => {
    const file = join(directory, `${name}.img`)
    writeFileSync(file, '')
    truncateSync(file, DISK_BYTES)
    // A node of its own: what belongs to a drive ends with the device that is pulled out.
    const group = `throttle-group,id=${name}-slow,x-bps-total=${DISK_BYTES_PER_SECOND}`
    const node = `driver=throttle,node-name=${name},throttle-group=${name}-slow`
    return ['-object', group, '-blockdev', `${node},file.driver=file,file.filename=${file}`]
  }
  return [
    '-qmp',
    `unix:${join(directory, MONITOR)},server=on,wait=off`,
    ...[...CHANNELS, CONTROL].flatMap((name) => ['-chardev', socket(name)]),
    // The second one: the first is the console.
    '-serial',
    'chardev:uart',
    ...device(PLUGS.pci),
    ...device('piix3-usb-uhci,id=usb'),
    ...device(PLUGS.ftdi),
    ...device(PLUGS.usbKeyboard),
    ...device(PLUGS.virtioKeyboard),
    ...device('virtio-serial-pci,id=serial'),
    ...device(`virtserialport,bus=serial.0,chardev=${CONTROL},name=${CONTROL}`),
    ...device(PLUGS.port),
    '-object',
    'rng-egd,id=entropy0,chardev=entropy',
    ...device(PLUGS.entropy),
    // A watchdog that barks at nobody: what expires is ignored.
    ...device('i6300esb'),
    '-action',
    'watchdog=none',
    ...disk('nvme'),
    ...device(PLUGS.nvme),
    ...device('virtio-scsi-pci,id=scsi'),
    ...disk('scsi'),
    ...device(PLUGS.scsi),
  ]
}

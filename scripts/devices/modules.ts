/** The modules of the devices, by the names of their files: a kernel that has no such file has it built in, or not at all. */

/** Loaded while the guest starts. Each kind with all that it depends on. */
const EARLY = [
  // The bus of virtio, and a disk for tests' files.
  'virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk',
  'crc16 crc32c_generic mbcache jbd2 ext4 fuse',
  // virtio-serial, which is the channel to the host as well.
  'virtio_console',
  // Keyboards, and devices of the user's own.
  'virtio_input evdev uinput hid hid-generic usbhid uhid',
  // A serial line on USB. (On xHCI and 7.3 every second open of it receives nothing.)
  'usb-common usbcore uhci-hcd usbserial ftdi_sio',
  'rng-core virtio-rng',
  'watchdog i6300esb',
  'crct10dif_common crc-t10dif crc64 crc64-rocksoft t10-pi nvme-keyring nvme-auth nvme-core nvme',
  'scsi_common scsi_mod virtio_scsi sd_mod',
  'tun',
].flatMap((names) => names.split(' '))

/** Loaded by the rows that need them, in the order of this list: nothing there could ask for a module by its name. */
export const LATE = {
  /** ttyACM0, and ttyGS0 at its other end. */
  serialGadget: [
    'configfs',
    'udc-core',
    'dummy_hcd',
    'libcomposite',
    'u_serial',
    'usb_f_acm',
    'cdc-acm',
    'g_serial',
  ],
  /** A HID device on USB whose other end is /dev/hidg0. */
  hidGadget: ['configfs', 'udc-core', 'dummy_hcd', 'libcomposite', 'usb_f_hid'],
  gpio: ['configfs', 'gpio-sim'],
} as const

const late: ReadonlySet<string> = new Set(Object.values(LATE).flat())

/** All of them. */
export const MODULES: readonly string[] = [...new Set([...EARLY, ...late])]

/** Those that the guest does not load by itself. */
export function isLate(module: string): boolean {
  return late.has(module)
}

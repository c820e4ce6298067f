/** What the lab does not do, and why: a page that says what was seen says this as well. */
export interface NotDone {
  device: string
  what: string
  why: string
}

export const NOT_DONE: readonly NotDone[] = [
  {
    device: 'uart',
    what: 'the rate of a line in hardware',
    why: 'the UART of QEMU sends at once; for 9600 baud the host takes 960 bytes a second',
  },
  {
    device: 'uart',
    what: 'flow control by the lines of the modem, and the loss of a carrier',
    why: "QEMU's UART says clear to send always; a hang-up is made by the system call for it",
  },
  {
    device: 'usb serial',
    what: 'a write that cannot be taken, a close with unsent output, F1, F3 and F4',
    why: 'where the other end takes nothing QEMU itself stands still, with the whole machine. They are rows of the UART, whose layer of the kernel is the same',
  },
  {
    device: 'usb gadget serial',
    what: 'a close with unsent output, F1, F3 and F4',
    why: 'the gadget loses what it has taken when its end is closed, so that nothing is left to wait for',
  },
  {
    device: 'keyboards',
    what: 'a write that cannot be taken, unsent output, a hang-up',
    why: 'a keyboard takes what it is told about its lights at once, and has nobody at the other end who could hang up',
  },
  {
    device: 'uhid',
    what: 'a write that cannot be taken',
    why: 'the kernel keeps the reports for the process that made the device, and waits for nobody; the gadget on USB is the HID device that does not take one',
  },
  {
    device: 'hwrng, gpio',
    what: 'a write, unsent output, a hang-up',
    why: 'they are only read',
  },
  {
    device: 'hwrng',
    what: 'two readers, unplugging',
    why: "the kernel's own thread always is a second reader; what a read is told when its source goes depends on who of them has the last bytes",
  },
  {
    device: 'gpio, tap',
    what: 'the same in a process of plain system calls, and two readers',
    why: 'only ioctl(2) makes their descriptors, and those are of one process; node:fs is what the ring is compared with',
  },
  {
    device: 'virtio-serial',
    what: 'two readers at once',
    why: 'the driver lets a port be opened once: the second open is told EBUSY, which is a row',
  },
  {
    device: 'watchdog',
    what: 'what happens when nobody keeps it alive, an idle read and its cancel',
    why: 'it would reset the machine under the other rows (QEMU is told to ignore it); it cannot be read',
  },
  {
    device: 'disks',
    what: 'a write that cannot be taken, unsent output, a hang-up',
    why: 'a disk that is slow takes all in the end; full ones and limits are in __test__/kinds-of-files',
  },
  {
    device: 'tape, printers, vsock to the host, NFS, USB over a network',
    what: 'all rows',
    why: "QEMU has no tape and needs a module of the host for vsock; the others are not among issue 10's devices",
  },
]

/** Disks that are slow, and can be pulled out. */
import { closeSync, constants, openSync, readSync } from 'node:fs'

import { PLUGS } from '../machine.js'
import type { Device, Lab, Row, Way } from '../row.js'
import { isThere, plugIn } from './unplug.js'
import { pattern } from './values.js'

const { O_DIRECT, O_RDONLY, O_RDWR } = constants
/** Of a disk that gives a MiB a second. */
const BYTES = 1 << 20
/** More than the blocks of any disk. */
const ALIGNMENT = 4096
/** Longer than the disk takes. */
const LONG = 60_000

interface Disk {
  path: string
  plug: keyof typeof PLUGS
  id: string
  /** What a read ends with when the disk is pulled out under it. */
  unplugged: string
}

/** Plugged in, and it answers. */
async function ready(lab: Lab, { path, plug }: Disk): Promise<void> {
  if (!isThere(path)) await plugIn(lab, PLUGS[plug])
  await lab.until(path, () => isThere(path))
  await lab.until('what it holds', () => {
    try {
      const fd = openSync(path, O_RDONLY)
      try {
        return readSync(fd, Buffer.alloc(ALIGNMENT)) === ALIGNMENT
      } finally {
        closeSync(fd)
      }
    } catch {
      return false
    }
  })
  await lab.shell('echo 3 >/proc/sys/vm/drop_caches')
}

const wordOf = (error: unknown) => {
  const { name, code } = error as NodeJS.ErrnoException
  return name === 'TimeoutError' ? name : (code ?? name)
}

/** The ring's own memory is aligned as direct reads want it; the others' is not, and they read through the page cache. */
function openDisk(way: Way, path: string): Promise<number> {
  return way.open(path, way.name === 'ring' ? O_RDWR | O_DIRECT : O_RDWR)
}

async function readDirect(way: Way, lab: Lab, fd: number, timeout = LONG): Promise<string> {
  try {
    if (way.name !== 'ring') {
      const { count, error } = await way.read(fd, BYTES)
      return error ?? `${count} bytes`
    }
    const { bytesRead } = await lab.ring.read(fd, lab.ring.alloc(BYTES), { timeout })
    return `${bytesRead} bytes`
  } catch (error) {
    return wordOf(error)
  } finally {
    await way.close(fd)
  }
}

/** The others' bytes are in the page cache then, and go to the disk with the close. */
async function writeDirect(way: Way, lab: Lab, fd: number, timeout = LONG): Promise<string> {
  try {
    if (way.name !== 'ring') {
      const { count, error } = await way.write(fd, pattern(BYTES))
      return error ?? `${count} bytes`
    }
    const bytes = lab.ring.alloc(BYTES)
    bytes.set(pattern(BYTES))
    const { bytesWritten } = await lab.ring.write(fd, bytes, { timeout })
    return `${bytesWritten} bytes`
  } catch (error) {
    return wordOf(error)
  } finally {
    await way.close(fd)
  }
}

/** Pulls the disk out once the operation is on its way: a disk that is gone before has no size, and is at its end. */
async function unplugUnder(
  way: Way,
  lab: Lab,
  { path, id }: Disk,
  operation: typeof readDirect,
): Promise<string> {
  const fd = await openDisk(way, path)
  const result = await lab.watch(async () => {
    const pending = operation(way, lab, fd)
    await lab.ring.nop()
    await lab.host(`monitor device_del ${id}`)
    return await pending
  })
  await lab.until(`the end of ${path}`, () => !isThere(path))
  return result
}

/** What is on the disk, and not in the page cache. */
async function found(lab: Lab, path: string): Promise<string> {
  const fd = await lab.ring.open(path, O_RDONLY | O_DIRECT)
  try {
    const { buffer } = await lab.ring.read(fd, lab.ring.alloc(BYTES))
    return Buffer.compare(buffer, pattern(BYTES)) === 0 ? 'as written' : 'something else'
  } finally {
    await lab.ring.closeFd(fd)
  }
}

function diskRows(disk: Disk): Row[] {
  const { path, unplugged } = disk
  return [
    {
      name: 'a direct read of a MiB, cancelled while the disk is at it',
      async run(way, lab) {
        await ready(lab, disk)
        // No disk lets go of what it has begun: the bytes come, whole, and the cancel changes nothing.
        const fd = await openDisk(way, path)
        return { read: await lab.watch(() => readDirect(way, lab, fd, 100)) }
      },
      right: { read: `${BYTES} bytes` },
    },
    {
      name: 'a direct write of a MiB, cancelled while the disk is at it; what is on the disk then',
      async run(way, lab) {
        await ready(lab, disk)
        await lab.shell(`dd if=/dev/zero of=${path} bs=${ALIGNMENT} count=1 conv=fsync 2>/dev/null`)
        const fd = await openDisk(way, path)
        const taken = await lab.watch(() => writeDirect(way, lab, fd, 100))
        return { taken, found: await found(lab, path) }
      },
      right: { taken: `${BYTES} bytes`, found: 'as written' },
    },
    {
      name: 'two readers at once',
      async run(way, lab) {
        await ready(lab, disk)
        const other = await way.another()
        const [one = '', second = ''] = await lab.watch(() =>
          Promise.all([way, other].map(async (who) => readDirect(who, lab, await openDisk(who, path)))),
        )
        return { one, other: second }
      },
      right: { one: `${BYTES} bytes`, other: `${BYTES} bytes` },
    },
    {
      name: 'unplugged while a direct read is pending',
      async run(way, lab) {
        await ready(lab, disk)
        return { read: await unplugUnder(way, lab, disk, readDirect) }
      },
      right: { read: unplugged },
      differs: {
        read: 'how much of it the disk still gives is its own affair, and through the page cache another',
      },
    },
    {
      name: 'unplugged while a direct write is pending',
      // The others' bytes are taken by the page cache before anything is pulled out.
      ways: ['ring'],
      async run(way, lab) {
        await ready(lab, disk)
        return { taken: await unplugUnder(way, lab, disk, writeDirect) }
      },
      right: { taken: unplugged },
    },
  ]
}

export const NVME: Device = {
  name: 'nvme',
  what: 'an NVMe disk that gives a MiB a second',
  rows: diskRows({
    path: '/dev/nvme0n1',
    plug: 'nvme',
    id: 'nvme0',
    unplugged: `${BYTES} bytes|EIO|ENODEV|ENXIO`,
  }),
}

export const SCSI: Device = {
  name: 'scsi',
  what: 'a SCSI disk that gives a MiB a second',
  rows: diskRows({ path: '/dev/sda', plug: 'scsi', id: 'scsi0', unplugged: 'EIO|ENODEV|ENXIO|[0-9]+ bytes' }),
}

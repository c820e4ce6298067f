/** Disks that are slow, and can be pulled out. */
import { closeSync, constants, openSync, readSync } from 'node:fs'

import { PLUGS } from '../machine.js'
import type { Device, Lab, Row, Way } from '../row.js'
import { isThere, plugIn } from './unplug.js'

const { O_DIRECT, O_RDONLY } = constants
/** Of a disk that gives a MiB a second. */
const BYTES = 1 << 20
/** More than the blocks of any disk. */
const ALIGNMENT = 4096

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

/** The ring's own memory is aligned as direct reads want it; the others' is not, and they read through the page cache. */
async function readDirect(way: Way, lab: Lab, path: string, timeout: number): Promise<string> {
  const fd = await way.open(path, way.name === 'ring' ? O_RDONLY | O_DIRECT : O_RDONLY)
  try {
    if (way.name !== 'ring') {
      const { count, error } = await way.read(fd, BYTES)
      return error ?? `${count} bytes`
    }
    const { bytesRead } = await lab.ring.read(fd, lab.ring.alloc(BYTES), { timeout })
    return `${bytesRead} bytes`
  } catch (error) {
    const { name, code } = error as NodeJS.ErrnoException
    return name === 'TimeoutError' ? name : (code ?? name)
  } finally {
    await way.close(fd)
  }
}

function diskRows(disk: Disk): Row[] {
  const { path, id, unplugged } = disk
  return [
    {
      name: 'a direct read of a MiB, cancelled while the disk is at it',
      async run(way, lab) {
        await ready(lab, disk)
        // No disk lets go of what it has begun: the bytes come, whole, and the cancel changes nothing.
        return { read: await lab.watch(() => readDirect(way, lab, path, 100)) }
      },
      right: { read: `${BYTES} bytes` },
    },
    {
      name: 'unplugged while a direct read is pending',
      async run(way, lab) {
        await ready(lab, disk)
        const result = await lab.watch(async () => {
          const pending = readDirect(way, lab, path, 60_000)
          await lab.host(`monitor device_del ${id}`)
          return await pending
        })
        await lab.until(`the end of ${path}`, () => !isThere(path))
        return { read: result }
      },
      right: { read: unplugged },
      differs: {
        read: 'how much of it the disk still gives is its own affair, and through the page cache another',
      },
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

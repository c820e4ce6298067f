/** A line that is pulled out while somebody uses it. */
import { constants, readdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'

import type { Lab, Row } from '../row.js'
import { pattern, read, written } from './values.js'

const { O_NOCTTY, O_RDWR } = constants

export interface Plug {
  /** Makes sure that it is in, and ready for use: its path. */
  plug: (lab: Lab) => Promise<string>
  unplug: (lab: Lab) => Promise<void>
}

/** Whether there is such a device node. */
export function isThere(path: string): boolean {
  return path !== '' && readdirSync(dirname(path)).includes(basename(path))
}

/** Has QEMU put something in, as soon as what was pulled out before is gone. */
export async function plugIn(lab: Lab, device: string): Promise<void> {
  await lab.until(
    `QEMU to take ${device}`,
    async () => (await lab.host(`monitor device_add ${device}`)) === '',
  )
}

/** The rows of a line that can be pulled out. */
export function unplugRows({ plug, unplug }: Plug): Row[] {
  return [
    {
      name: 'unplugged while a read is pending; then a read and a write',
      async run(way, lab) {
        const fd = await way.open(await plug(lab), O_RDWR | O_NOCTTY)
        const result = await lab.watch(async () => {
          const pending = way.read(fd, 64)
          await unplug(lab)
          return await pending
        })
        const next = await way.read(fd, 64)
        const write = await way.write(fd, pattern(1))
        return { read: read(result), next: read(next), write: written(write, 1), closed: await way.close(fd) }
      },
      right: { read: 'nothing, the end', next: 'nothing, the end', write: 'EIO|ENODEV', closed: 'ok' },
    },
    {
      name: 'unplugged, and a read that is cancelled meanwhile',
      ways: ['ring'],
      async run(way, lab) {
        const fd = await way.open(await plug(lab), O_RDWR | O_NOCTTY)
        const controller = new AbortController()
        const result = await lab.watch(async () => {
          const pending = way.read(fd, 64, { signal: controller.signal })
          await lab.ring.nop()
          const unplugged = unplug(lab)
          controller.abort()
          await unplugged
          return await pending
        })
        return { read: read(result), closed: await way.close(fd) }
      },
      right: { read: 'AbortError|nothing, the end', closed: 'ok' },
    },
  ]
}

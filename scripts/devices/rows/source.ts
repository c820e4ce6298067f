/** The rows of everything that is read and tells of what happened: keyboards, HID devices, lines of GPIO. */
import { constants } from 'node:fs'

import { type Lab, type Result, type Row, type Way, type WayName, WAYS } from '../row.js'

export interface Plugged {
  /** What is opened; or a descriptor that is there already. */
  at: string | number
  /** Lets something happen there. */
  happen: () => Promise<void>
  unplug: () => Promise<void>
}

export interface Source {
  /** Where it is, after it was made or plugged in. */
  readonly plug: (lab: Lab) => Promise<Plugged>
  /** For a read, in bytes. */
  size: number
  /** What was read, without its times; the empty text as long as it is not all that happened at once. */
  readonly tell: (bytes: Buffer) => string
  /** What a read ends with when it is unplugged, and what the next one does. */
  unplugged?: string
  /** Why it ends otherwise for who waits in read(2). */
  unpluggedDiffers?: string
  /** Descriptors that are there already are this process's alone. */
  ways?: readonly WayName[]
}

const { O_NONBLOCK, O_RDONLY } = constants
const TIMEOUT_MILLISECONDS = 300
const NOT_BLOCKING = 'with O_NONBLOCK the ring waits where the others say EAGAIN'

/** Reads until it can be told what happened. */
async function readEvent(way: Way, fd: number, { size, tell }: Source): Promise<string> {
  let bytes = Buffer.alloc(0)
  for (;;) {
    const result = await way.read(fd, size)
    if (result.error !== undefined) return result.error
    if (result.count === 0) return 'nothing, the end'
    bytes = Buffer.concat([bytes, result.bytes])
    const told = tell(bytes)
    if (told !== '') return told
  }
}

/** Another process, which has it open as well and waits for what happens. */
async function witnessOf(plugged: Plugged, lab: Lab, source: Source) {
  const other = await lab.other()
  const fd = await openAt(other, plugged, O_RDONLY)
  return {
    sees: () => readEvent(other, fd, source),
    leave: () => other.close(fd),
  }
}

function outcome({ count, error }: Result): string {
  return error ?? (count === 0 ? 'nothing, the end' : `${count} bytes`)
}

async function openAt(way: Way, { at }: Plugged, flags: number): Promise<number> {
  return typeof at === 'number' ? at : way.open(at, flags)
}

async function closeAt(way: Way, { at }: Plugged, fd: number): Promise<string> {
  // What was there before the row stays for the next one.
  return typeof at === 'number' ? 'ok' : way.close(fd)
}

export function sourceRows(source: Source): Row[] {
  const { plug, size, unplugged, ways } = source
  const some = ways === undefined ? {} : { ways }
  const idle = (name: string, flags: number, more: Partial<Row> = {}): Row => ({
    name,
    ...some,
    async run(way, lab) {
      const plugged = await plug(lab)
      const fd = await openAt(way, plugged, O_RDONLY | flags)
      const cancelled =
        way.name === 'ring' && (await lab.watch(() => way.read(fd, size, { timeout: TIMEOUT_MILLISECONDS })))
      // Who does not wait may be over before something has happened, which then would come to whoever opens it next.
      const witness = flags === 0 ? undefined : await witnessOf(plugged, lab, source)
      await plugged.happen()
      const kept = await lab.watch(() => readEvent(way, fd, source))
      await witness?.sees()
      const came = await lab.watch(async () => {
        const waiting = readEvent(way, fd, source)
        await plugged.happen()
        return await waiting
      })
      await witness?.sees()
      await witness?.leave()
      const closed = await closeAt(way, plugged, fd)
      return { ...(cancelled && { cancelled: outcome(cancelled) }), kept, came, closed }
    },
    right: { cancelled: 'TimeoutError', kept: '(?!E[A-Z]+$|nothing).+', came: '(?!E[A-Z]+$|nothing).+' },
    ...more,
  })
  const rows: Row[] = [idle('an idle read, its cancel, and what happens then', 0)]
  if (ways === undefined) {
    rows.push(
      idle('the same with O_NONBLOCK', O_NONBLOCK, { differs: { kept: NOT_BLOCKING, came: NOT_BLOCKING } }),
      {
        name: 'two readers',
        async run(way, lab) {
          const plugged = await plug(lab)
          const other = await way.another()
          const fds = [
            await way.open(plugged.at as string, O_RDONLY),
            await other.open(plugged.at as string, O_RDONLY),
          ]
          const seen = await lab.watch(async () => {
            const waiting = [readEvent(way, fds[0] ?? -1, source), readEvent(other, fds[1] ?? -1, source)]
            await plugged.happen()
            return await Promise.all(waiting)
          })
          const closed = [await way.close(fds[0] ?? -1), await other.close(fds[1] ?? -1)]
          return { one: seen[0] ?? '', other: seen[1] ?? '', closed: closed.join(', ') }
        },
      },
    )
  }
  if (unplugged !== undefined) {
    rows.push(
      unplugRow('unplugged while a read is pending; then a read', source, 0, unplugged),
      unplugRow(
        'unplugged while a read is pending, with O_NONBLOCK; then a read',
        source,
        O_NONBLOCK,
        unplugged,
      ),
    )
  }
  return rows
}

function unplugRow(name: string, source: Source, flags: number, unplugged: string): Row {
  const { plug, size, unpluggedDiffers, ways = WAYS } = source
  return {
    name,
    // No multishot reads are asked for by the library: those do not end on files without O_NONBLOCK.
    fault: 'F5',
    // The others do not wait with it.
    ways: flags === 0 ? ways : ['ring'],
    async run(way, lab) {
      const plugged = await plug(lab)
      const fd = await openAt(way, plugged, O_RDONLY | flags)
      const first = await lab.watch(async () => {
        const pending = way.read(fd, size)
        if (way.name === 'ring') await lab.ring.nop()
        await plugged.unplug()
        return await pending
      })
      const next = await way.read(fd, size)
      return { read: outcome(first), next: outcome(next), closed: await closeAt(way, plugged, fd) }
    },
    right: { read: unplugged, next: unplugged, closed: 'ok' },
    ...(unpluggedDiffers !== undefined && { differs: { read: unpluggedDiffers } }),
  }
}

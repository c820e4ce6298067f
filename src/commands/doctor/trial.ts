/** A trial of the contract in small: a ring is filled, a read is cancelled, and bytes go through a pipe. */
import { constants } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'

import { DEFAULTS } from '../../arguments/ring-options.js'
import { eventfd, pipe } from '../../descriptors/make.js'
import { RingError } from '../../errors.js'
import { PollEvents } from '../../operations/poll.js'
import { Ring } from '../../ring.js'

export interface Trial {
  ok: boolean
  /** Why not. */
  problem?: string
  /** How many operations a ring with the default options had in the kernel at once. */
  inFlight?: number
  /** How many of them it should have: fewer are no fault. */
  inFlightWanted: number
  /** Where locked memory is limited: how many rings this process could have at once, as far as that was tried. */
  rings?: number
  /** How many were tried. */
  ringsWanted?: number
  /** How many cancels the cancelled read took. */
  cancels?: number
  /** From the call of `ring.cancel` to the end of the read, in milliseconds. */
  cancelMilliseconds?: number
}

/** Entries of the completion queue that operations leave to cancels and the timer (docs/contract.md, clause 7). */
const RESERVED = 4
/** Longer than any machine takes: what has not ended by then hangs. */
const HANGS_AFTER_MILLISECONDS = 60_000
const TEXT = 'uring-safe-cancel'

/** More threads with a ring each are rare, and making so many takes some milliseconds. */
const RINGS_WANTED = 64

/** `isLimited`: whether rings count against a limit. */
interface Circumstances {
  isLimited: boolean
}

/** Never rejects, and never waits for ever. */
export async function tryRing(circumstances: Circumstances): Promise<Trial> {
  const trial: Trial = { ok: false, inFlightWanted: DEFAULTS.completionEntries - RESERVED }
  let watchdog: NodeJS.Timeout | undefined
  const hang = new Promise<never>((_resolve, reject) => {
    const words = `an operation did not end within ${HANGS_AFTER_MILLISECONDS / 1000} s`
    watchdog = setTimeout(() => reject(new Error(words)), HANGS_AFTER_MILLISECONDS)
  })
  let ring: Ring | undefined
  try {
    ring = new Ring()
    await Promise.race([run(ring, trial, circumstances), hang])
    trial.ok = true
  } catch (error) {
    trial.problem = error instanceof Error ? error.message : String(error)
  } finally {
    clearTimeout(watchdog)
    // One that hangs must not keep the process: that ends, and the kernel with it what it holds.
    const destroyed = ring?.destroy()
    if (trial.ok) await destroyed
    else ring?.unref()
  }
  return trial
}

async function run(ring: Ring, trial: Trial, { isLimited }: Circumstances): Promise<void> {
  const event = eventfd()
  const { readFd, writeFd } = pipe()
  trial.inFlight = await fill(ring, readFd)
  if (isLimited) await countRings(trial)
  await cancelRead(ring, event, trial)
  await transfer(ring, readFd, writeFd)
  await Promise.all([event, readFd, writeFd].map((fd) => ring.closeFd(fd)))
}

/** Where the limit of locked memory is low, a ring has fewer entries than asked for: more operations wait. */
async function fill(ring: Ring, fd: number): Promise<number> {
  const polls = Promise.all(
    Array.from({ length: DEFAULTS.completionEntries }, () =>
      ring.poll(fd, PollEvents.POLLIN, { onCancel: 'resolve' }),
    ),
  )
  await Promise.race([turn(), polls])
  const { inFlight } = ring.stats()
  await ring.cancelAll()
  await polls
  return inFlight
}

/** Beside the one there is: what a ring that was closed held, the kernel gives back later. */
async function countRings(trial: Trial): Promise<void> {
  const others: Ring[] = []
  try {
    while (others.length + 1 < RINGS_WANTED) others.push(new Ring())
  } catch (error) {
    const isForMemory = error instanceof RingError && error.errno === -constants.errno.ENOMEM
    // For want of descriptors it says nothing of memory.
    if (!isForMemory) return
  } finally {
    await Promise.all(others.map((ring) => ring.destroy()))
  }
  trial.rings = others.length + 1
  trial.ringsWanted = RINGS_WANTED
}

/** By a worker of the kernel: that is the read whose cancel may be lost. (Before 6.9 it gets no reads of pipes.) */
async function cancelRead(ring: Ring, fd: number, trial: Trial): Promise<void> {
  const reading = ring.read(fd, { length: 8, async: true, onCancel: 'resolve' })
  await turn()
  const begun = performance.now()
  const { outcome, attempts } = await ring.cancel(reading)
  trial.cancelMilliseconds = Math.round((performance.now() - begun) * 1000) / 1000
  trial.cancels = attempts
  if (outcome !== 'cancelled') throw new Error(`a cancelled read of an empty eventfd was ${outcome}`)
}

async function transfer(ring: Ring, readFd: number, writeFd: number): Promise<void> {
  await ring.write(writeFd, TEXT)
  const { bytesRead, buffer } = await ring.read(readFd)
  const came = buffer.toString('utf8', 0, bytesRead)
  if (came !== TEXT) throw new Error(`what was written into a pipe came out as '${came}'`)
}

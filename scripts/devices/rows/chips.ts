/** Small things: a source of random numbers that has none yet, a port of virtio, lines of GPIO, a watchdog, a tap interface. */
import { createSocket } from 'node:dgram'
import { constants } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

import { PLUGS } from '../machine.js'
import { LATE } from '../modules.js'
import type { Device, Lab, Result, Row } from '../row.js'
import { hostPeer, WHOLE } from './peer.js'
import { sourceRows } from './source.js'
import { isThere, plugIn } from './unplug.js'
import { opened, pattern, read, readAll, written } from './values.js'

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants
const RESCUE_MILLISECONDS = 3000
const TIMEOUT_MILLISECONDS = 300
const BY_ITSELF = 'by itself'
const GIVES_UP = 'a timeout ends it; the others wait'
const wordOf = ({ count, error }: Result) => error ?? `${count} bytes`

const RANDOM = '/dev/hwrng'
const RANDOM_BYTES = 32
/** The kernel's own pool takes some of what comes. */
const ENTROPY = `entropy ${'5a'.repeat(64)}`
/** So much that something is left of it. */
const MUCH = `entropy ${'5a'.repeat(4096)}`
const SETTLE_MILLISECONDS = 50
const SILENCE_MILLISECONDS = 1000

/** Takes what is left of what the host sent before: from then on there is none. */
async function exhaust(lab: Lab): Promise<void> {
  const other = await lab.other()
  const fd = await other.open(RANDOM, O_RDONLY | O_NONBLOCK)
  for (;;) {
    const result = await Promise.race([other.read(fd, RANDOM_BYTES), delay(SILENCE_MILLISECONDS)])
    // Silent behind the kernel's own thread, which waits for the same: it is empty as well.
    if (result === undefined || result.error !== undefined) return
  }
}

function randomRow(name: string, flags: number, fault: string): Row {
  return {
    name,
    fault,
    async run(way, lab) {
      await exhaust(lab)
      const fd = await way.open(RANDOM, O_RDONLY | flags)
      await lab.host(`rescue ${RESCUE_MILLISECONDS} send ${MUCH}`)
      const idle = await lab.watch(() => way.read(fd, RANDOM_BYTES, { timeout: TIMEOUT_MILLISECONDS }))
      const ended = (await lab.host('rescued')) === 'yes' ? 'by the rescue' : BY_ITSELF
      const came = await lab.watch(async () => {
        const waiting = way.read(fd, RANDOM_BYTES)
        let isOver = false
        const come = waiting.finally(() => (isOver = true))
        // The kernel's own pool may take it first, more than once.
        await lab.until('a read that is over', async () => {
          if (!isOver) await lab.host(`send ${ENTROPY}`)
          await delay(SETTLE_MILLISECONDS)
          return isOver
        })
        return await come
      })
      return { idle: wordOf(idle), ended, came: wordOf(came), closed: await way.close(fd) }
    },
    // Who waits inside of the driver is reached by no cancel (wait_for_completion_killable); who waits behind the kernel's own thread is.
    right: {
      idle: `TimeoutError|${RANDOM_BYTES} bytes`,
      ended: 'by (itself|the rescue)',
      came: '[1-9][0-9]* bytes',
      closed: 'ok',
    },
    differs: { idle: GIVES_UP, ended: GIVES_UP, came: 'the driver gives what it has' },
  }
}

export const HWRNG: Device = {
  name: 'hwrng',
  what: 'a source of random numbers of virtio, /dev/hwrng, which has none until the host sends some',
  rows: [
    randomRow('an idle read, its cancel, and what comes then', 0, 'F6'),
    randomRow('the same with O_NONBLOCK, which the driver ignores', O_NONBLOCK, 'F2'),
  ],
}

const PORTS = '/sys/class/virtio-ports'

async function portAt(lab: Lab): Promise<string> {
  const script = `for port in ${PORTS}/*; do [ "$(cat $port/name)" = port ] && basename $port; done; true`
  const find = () => lab.shell(script)
  if ((await find()) === '') await plugIn(lab, PLUGS.port)
  await lab.until('the port', async () => (await find()) !== '')
  const path = `/dev/${await find()}`
  await lab.until(path, () => isThere(path))
  return path
}

async function portReady(lab: Lab) {
  const at = await portAt(lab)
  const peer = hostPeer(lab, 'port')
  await peer.drain()
  await peer.received(0)
  return { at, peer }
}

/** One entry of the queue, which has 128 of them. */
const PIECE_BYTES = 32 << 10
/** More than the queue and the sockets take. */
const FLOOD = 6 << 20

export const PORT: Device = {
  name: 'virtio-serial',
  what: 'a port of virtio, whose other end is the host',
  rows: [
    {
      name: 'an idle read, its cancel, and the bytes that come then',
      async run(way, lab) {
        const { at, peer } = await portReady(lab)
        const fd = await way.open(at, O_RDWR)
        const cancelled =
          way.name === 'ring' && (await lab.watch(() => way.read(fd, 64, { timeout: TIMEOUT_MILLISECONDS })))
        await peer.send('hello')
        const kept = await lab.watch(() => readAll(way, fd, 5))
        const closed = await way.close(fd)
        return { ...(cancelled && { cancelled: read(cancelled) }), kept: read(kept), closed }
      },
      right: { cancelled: 'TimeoutError', kept: '"hello"', closed: 'ok' },
    },
    {
      name: 'writes that nobody takes',
      async run(way, lab) {
        const { at, peer } = await portReady(lab)
        const fd = await way.open(at, O_RDWR)
        await peer.hold()
        await peer.rescue(RESCUE_MILLISECONDS)
        let count = 0
        let last = ''
        await lab.watch(async () => {
          // Each takes a part, without waiting for the rest.
          while (count < FLOOD && last === '') {
            const bytes = pattern(FLOOD).subarray(count, count + PIECE_BYTES)
            const result = await way.write(fd, bytes, { timeout: TIMEOUT_MILLISECONDS })
            if (result.error === undefined) count += result.count
            else last = result.error
          }
        })
        const ended = (await peer.rescued()) ? 'by the rescue' : BY_ITSELF
        await peer.drain()
        const arrived = await peer.received(count)
        return {
          taken: count === FLOOD ? 'all' : `a part, then ${last}`,
          ended,
          arrived,
          closed: await way.close(fd),
        }
      },
      right: { taken: 'a part, then TimeoutError', ended: BY_ITSELF, arrived: WHOLE, closed: 'ok' },
      differs: { taken: GIVES_UP, ended: GIVES_UP },
    },
    {
      name: 'a close behind writes that nobody has taken',
      async run(way, lab) {
        const { at, peer } = await portReady(lab)
        const fd = await way.open(at, O_RDWR)
        await peer.hold()
        await peer.rescue(RESCUE_MILLISECONDS)
        const result = await way.write(fd, pattern(PIECE_BYTES))
        const closed = await lab.watch(() => way.close(fd))
        const ended = (await peer.rescued()) ? 'by the rescue' : BY_ITSELF
        await peer.drain()
        return { taken: written(result, PIECE_BYTES), closed, ended }
      },
      right: { taken: 'all', closed: 'ok', ended: BY_ITSELF },
    },
    {
      name: 'a second reader',
      async run(way, lab) {
        const { at } = await portReady(lab)
        const fd = await way.open(at, O_RDWR)
        const second = await lab.watch(() => opened(way, way.open(at, O_RDWR)))
        return { second: second.outcome, closed: await way.close(fd) }
      },
      // The driver has one at a time.
      right: { second: 'EBUSY', closed: 'ok' },
    },
    {
      name: 'the host hangs up while a read is pending; then a read',
      async run(way, lab) {
        const { at } = await portReady(lab)
        const fd = await way.open(at, O_RDWR)
        const first = await lab.watch(async () => {
          const pending = way.read(fd, 64)
          if (way.name === 'ring') await lab.ring.nop()
          await lab.host('disconnect port')
          return await pending
        })
        const next = await way.read(fd, 64)
        await lab.host('connect port')
        return { read: read(first), next: read(next), closed: await way.close(fd) }
      },
      right: { read: 'nothing, the end', next: 'nothing, the end', closed: 'ok' },
    },
    {
      name: 'unplugged while a read is pending; then a read and a write',
      fault: 'F5',
      async run(way, lab) {
        const { at } = await portReady(lab)
        const fd = await way.open(at, O_RDWR)
        const first = await lab.watch(async () => {
          const pending = way.read(fd, 64)
          if (way.name === 'ring') await lab.ring.nop()
          await lab.host('monitor device_del port0')
          return await pending
        })
        const next = await way.read(fd, 64)
        const write = await way.write(fd, pattern(1))
        return { read: read(first), next: read(next), write: written(write, 1), closed: await way.close(fd) }
      },
      right: { read: 'ENODEV', next: 'ENODEV', write: 'ENODEV', closed: 'ok' },
    },
  ],
}

/** `gpio_v2_line_event`: a time, then which edge. */
const GPIO_EVENT = 48
const CHIP = '/sys/kernel/config/gpio-sim/lab'
/** As many as rows and their runs can use. */
const LINES = 24
/** The first number that `descriptors` gives. */
const FIRST = 100
let line = -1

const gpioPull = (index: number, pull: string) =>
  `for pull in /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio${index}/pull; do echo ${pull} >$pull; done`

export const GPIO: Device = {
  name: 'gpio',
  what: 'line events of a simulated GPIO chip (gpio-sim), both edges',
  only: { series: ['7'], why: 'Debian builds gpio-sim only since 7' },
  prepare: `for module in ${LATE.gpio.join(' ')}; do insmod /modules/$module.ko; done
mount -t configfs none /sys/kernel/config
mkdir ${CHIP} ${CHIP}/bank0
echo ${LINES} >${CHIP}/bank0/num_lines
echo 1 >${CHIP}/live
until [ -e /dev/gpiochip0 ]; do sleep 0.1; done`,
  descriptors: ['gpio', String(LINES)],
  rows: [
    ...sourceRows({
      plug: (lab) => {
        line = (line + 1) % LINES
        const index = line
        let isUp = false
        return Promise.resolve({
          at: FIRST + index,
          happen: async () => {
            isUp = !isUp
            await lab.shell(gpioPull(index, isUp ? 'pull-up' : 'pull-down'))
          },
          unplug: () => Promise.resolve(),
        })
      },
      size: GPIO_EVENT,
      tell: (bytes) => (bytes.readUInt32LE(8) === 1 ? 'rising' : 'falling'),
      ways: ['fs', 'ring'],
    }),
    {
      name: 'the chip goes while a read is pending; then a read',
      fault: 'F5',
      ways: ['ring'],
      // The lines of a chip that is made anew are others.
      isOnce: true,
      async run(way, lab) {
        const fd = FIRST
        const first = await lab.watch(async () => {
          const pending = way.read(fd, GPIO_EVENT)
          await lab.ring.nop()
          await lab.shell(`echo 0 >${CHIP}/live`)
          return await pending
        })
        return { read: wordOf(first), next: wordOf(await way.read(fd, GPIO_EVENT)) }
      },
      right: { read: 'ENODEV', next: 'ENODEV' },
    },
  ],
}

const DOG = '/dev/watchdog'

export const WATCHDOG: Device = {
  name: 'watchdog',
  what: 'an i6300esb watchdog; QEMU is told to ignore what it does',
  rows: [
    {
      name: 'a keepalive, a read, and the close that stops it',
      async run(way, lab) {
        const fd = await way.open(DOG, O_WRONLY)
        const seen = await lab.watch(async () => {
          const keepalive = written(await way.write(fd, Buffer.from('x')), 1)
          const nothing = read(await way.read(fd, 1))
          // The letter by which a close means what it says.
          const stop = written(await way.write(fd, Buffer.from('V')), 1)
          return { keepalive, read: nothing, stop, closed: await way.close(fd) }
        })
        const state = await lab.shell('cat /sys/class/watchdog/watchdog0/state')
        return { ...seen, state }
      },
      right: { keepalive: 'all', read: 'EBADF|EINVAL', stop: 'all', closed: 'ok', state: 'inactive' },
    },
  ],
}

const FRAME_BYTES = 2048
const ARP = 0x0806
let tap = -1

export const TAP: Device = {
  name: 'tap',
  what: 'interfaces of the tun driver, whose frames the rows read',
  descriptors: ['tap', String(LINES)],
  rows: [
    ...sourceRows({
      plug: async (lab) => {
        tap += 1
        const index = tap
        await lab.shell(
          `echo 1 >/proc/sys/net/ipv6/conf/lab${index}/disable_ipv6; ifconfig lab${index} 10.9.${index}.1 netmask 255.255.255.0 up`,
        )
        let host = 1
        return {
          at: FIRST + index,
          // A host that nobody has asked for is asked for by a broadcast.
          happen: async () => {
            host += 1
            await datagramTo(`10.9.${index}.${host}`)
          },
          unplug: async () => void (await lab.shell(`ip link del lab${index}`)),
        }
      },
      size: FRAME_BYTES,
      tell: (bytes) => (bytes.readUInt16BE(12) === ARP ? 'a question of ARP' : 'another frame'),
      // libuv has no name for EBADFD.
      unplugged: 'Unknown system error -77',
      unpluggedDiffers: 'who waits in read(2) is told EFAULT by the driver, who comes later or polls EBADFD',
      ways: ['fs', 'ring'],
    }),
  ],
}

function datagramTo(address: string): Promise<void> {
  const socket = createSocket('udp4')
  return new Promise((resolve) => {
    socket.send('x', 9, address, () => {
      socket.close()
      resolve()
    })
  })
}

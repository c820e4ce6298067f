/** Packets of a network interface that a program is the other end of. */
import { constants } from 'node:fs'

import type { Calls } from '../calls.js'
import type { Kind, Made } from '../kind.js'
import { AT_FDCWD, pathWord } from '../operations.js'
import { bothWays, drain, giveBytes, O_NONBLOCK, openFile } from './tools.js'

const CLONE_NEWNET = 0x40000000
const [TUNSETIFF, IFF_TUN, IFF_NO_PI] = [0x400454ca, 1, 0x1000]
const [SIOCGIFINDEX, SIOCSIFFLAGS, IFF_UP] = [0x8933, 0x8914, 1]
const [AF_PACKET, SOCK_RAW] = [17, 3]
/** ETH_P_IP in the order of the network: packets that go out are not among what comes. */
const IP_ONLY = 0x0008
/** The struct ifreq: a name, and what is asked for. */
const [REQUEST_BYTES, NAME_BYTES] = [40, 16]
const NAME = 'kinds'

function request(flags: number): string {
  const bytes = Buffer.alloc(REQUEST_BYTES)
  bytes.write(NAME)
  bytes.writeInt16LE(flags, NAME_BYTES)
  return bytes.toString('hex')
}

async function tun(world: Calls, isNonblocking: boolean): Promise<Made> {
  const home = await openFile(world, '/proc/self/ns/net', constants.O_RDONLY)
  await world.must('unshare', CLONE_NEWNET)
  // Or else the kernel sends packets of its own as the interface comes up.
  const path = '/proc/sys/net/ipv6/conf/default/disable_ipv6'
  const { result: setting } = await world.call('openat', AT_FDCWD, pathWord(path), constants.O_WRONLY, 0)
  if (setting >= 0) {
    await world.must('write', setting, 'i:31', 1)
    await world.must('close', setting)
  }
  const fd = await openFile(world, '/dev/net/tun', constants.O_RDWR | (isNonblocking ? O_NONBLOCK : 0))
  await world.must('ioctl', fd, TUNSETIFF, `x:${request(IFF_TUN | IFF_NO_PI)}`)
  const socket = await world.must('socket', AF_PACKET, SOCK_RAW, IP_ONLY)
  await world.must('ioctl', socket, SIOCSIFFLAGS, `i:${request(IFF_UP)}`)
  const { outs } = await world.mustAnswer('ioctl', socket, SIOCGIFINDEX, `x:${request(0)}`)
  const index = Buffer.from(outs[0] ?? '', 'hex').readInt32LE(NAME_BYTES)
  const address = Buffer.alloc(20)
  address.writeUInt16LE(AF_PACKET, 0)
  address.writeUInt16LE(IP_ONLY, 2)
  address.writeInt32LE(index, 4)
  await world.must('bind', socket, `i:${address.toString('hex')}`, address.length)
  // The names of sockets, by which descriptors are handed over, are those of a network.
  await world.must('setns', home, CLONE_NEWNET)
  await world.must('close', home)
  return {
    reader: fd,
    writer: fd,
    give: (bytes) => giveBytes(world, socket, bytes),
    take: () => drain(world, socket, true),
    next: () => drain(world, fd, true),
  }
}

/** An IPv4 packet, as far as a tun looks at it. */
const PACKET = `45${'00'.repeat(3)}${'6b'.repeat(60)}`

export const TUN: Kind[] = bothWays({
  name: 'tun',
  // What the network does not take it drops.
  waits: ['in'],
  length: 64,
  payload: PACKET,
  keepsMessages: true,
  make: (world, _places, isNonblocking) => tun(world, isNonblocking),
})

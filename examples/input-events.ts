/**
 * Prints what comes from an input device (keyboard, mouse, touchscreen, GPIO keys) until Ctrl-C.
 *
 *     node --import=./scripts/register.mjs examples/input-events.ts /dev/input/event0
 */
import { CANCELLED, Ring } from 'uring-safe-cancel'

/** `struct input_event` of linux/input.h where a long has 64 bits: seconds, µs, type, code, value. */
const EVENT_BYTES = 24
const EVENTS_AT_ONCE = 64
const TYPES = new Map([
  [0, 'SYN'],
  [1, 'KEY'],
  [2, 'REL'],
  [3, 'ABS'],
  [4, 'MSC'],
])

const [path = '/dev/input/event0'] = process.argv.slice(2)
const controller = new AbortController()
process.once('SIGINT', () => controller.abort())
const options = { signal: controller.signal, onCancel: 'resolve' } as const

await using ring = new Ring()
const device = await ring.open(path)
const buffer = ring.alloc(EVENTS_AT_ONCE * EVENT_BYTES)
let count = 0
for (;;) {
  const result = await ring.read(device, buffer, options)
  // A device gives whole events; 0 is the end of a recording.
  if (result === CANCELLED || result.bytesRead === 0) break
  for (let at = 0; at + EVENT_BYTES <= result.bytesRead; at += EVENT_BYTES) {
    const seconds = Number(buffer.readBigInt64LE(at)) + Number(buffer.readBigInt64LE(at + 8)) / 1e6
    const type = buffer.readUInt16LE(at + 16)
    const [code, value] = [buffer.readUInt16LE(at + 18), buffer.readInt32LE(at + 20)]
    console.log(`${seconds.toFixed(6)} ${TYPES.get(type) ?? type} code ${code} value ${value}`)
    count += 1
  }
}
await ring.closeFd(device)
console.log(`${count} events`)

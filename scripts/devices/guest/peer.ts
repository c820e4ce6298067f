/**
 * `peer.js PATH`: the other end of a line inside of the guest, in a process of its own. It answers the same lines as the host does
 * for its channels. While it holds, it has the line closed, so that nothing is taken from the other end.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

import { Arrivals } from '../arrivals.js'
import { Rescue } from '../rescue.js'

const PIECE = Buffer.alloc(4096)
/** How often it looks: a read that waits would keep the line open behind its close. */
const LOOK_MILLISECONDS = 5
const { O_NOCTTY, O_NONBLOCK, O_RDWR } = constants

const [, , path = ''] = process.argv
const arrivals = new Arrivals()
const rescue = new Rescue()
let line: { fd: number; timer: NodeJS.Timeout } | undefined

function drain(): void {
  if (line !== undefined) return
  const fd = openSync(path, O_RDWR | O_NOCTTY | O_NONBLOCK)
  line = { fd, timer: setInterval(() => take(fd), LOOK_MILLISECONDS) }
}

/** All that is there. */
function take(fd: number): void {
  try {
    for (;;) {
      const count = readSync(fd, PIECE)
      if (count === 0) return
      arrivals.take(PIECE.subarray(0, count))
    }
  } catch {
    // EAGAIN: no more. Where the other end is gone, so is this one soon.
  }
}

function hold(): void {
  if (line === undefined) return
  clearInterval(line.timer)
  closeSync(line.fd)
  line = undefined
}

async function perform(command: string | undefined, first: string): Promise<string> {
  switch (command) {
    case 'send':
      if (line !== undefined) writeSync(line.fd, Buffer.from(first, 'hex'))
      return ''
    case 'hold':
      hold()
      return ''
    case 'drain':
      drain()
      return ''
    case 'received':
      return await arrivals.received(Number(first))
    case 'rescue':
      rescue.set(Number(first), drain)
      return ''
    case 'rescued':
      return rescue.ask()
    case undefined:
    default:
      throw new Error(`no command ${command}`)
  }
}

for await (const text of createInterface(process.stdin)) {
  const [command, first = ''] = text.split(' ')
  console.log(`ok ${await perform(command, first)}`.trim())
}
process.exit(0)

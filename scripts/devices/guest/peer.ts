/**
 * `peer.js PATH`: the other end of a line inside of the guest, in a process of its own. It answers the same lines as the host does
 * for its channels. While it holds, it has the line closed, so that nothing is taken from the other end.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { createInterface } from 'node:readline'

import { Arrivals } from '../arrivals.js'
import { Rescue } from '../rescue.js'

const PIECE_BYTES = 4096

const [, , path = ''] = process.argv
const arrivals = new Arrivals()
const rescue = new Rescue()
let line: FileHandle | undefined

async function drain(): Promise<void> {
  if (line !== undefined) return
  const opened = await open(path, constants.O_RDWR | constants.O_NOCTTY)
  line = opened
  void take(opened)
}

async function take(from: FileHandle): Promise<void> {
  const buffer = Buffer.alloc(PIECE_BYTES)
  try {
    // Until the line is closed, which ends the read that waits.
    for (;;) {
      const { bytesRead } = await from.read(buffer, 0, PIECE_BYTES, null)
      if (bytesRead === 0) break
      arrivals.take(buffer.subarray(0, bytesRead))
    }
  } catch {
    // The line is gone, or was closed under the read.
  }
}

/** Ends the pending read, too: a hang-up of this end alone. */
async function hold(): Promise<void> {
  const held = line
  line = undefined
  await held?.close()
}

async function perform(command: string | undefined, first: string): Promise<string> {
  switch (command) {
    case 'send':
      await line?.write(Buffer.from(first, 'hex'))
      return ''
    case 'hold':
      await hold()
      return ''
    case 'drain':
      await drain()
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

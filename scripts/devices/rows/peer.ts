/** The other end of a line: whoever sends, takes what comes, or lets it wait. */
import { fileURLToPath } from 'node:url'

import type { Lab } from '../row.js'

const PEER = fileURLToPath(new URL('../guest/peer.js', import.meta.url))

export interface Peer {
  send(text: string): Promise<void>
  /** Takes nothing more. */
  hold(): Promise<void>
  drain(bytesPerSecond?: number): Promise<void>
  /** Drains after so many milliseconds, whatever the device's user is doing, unless `rescued` was asked before. */
  rescue(milliseconds: number): Promise<void>
  /** Whether it took that. */
  rescued(): Promise<boolean>
  /** Waits for so many bytes, or silence; whether they came, no more of them, and as they were written. */
  received(bytes: number): Promise<string>
}

/** What `received` says when all is as it should be. */
export const WHOLE = 'all that was counted'

export function arrival(answer: string, bytes: number): string {
  const [count = '', state = ''] = answer.split(' ')
  if (Number(count) === bytes && state === 'intact') return WHOLE
  return `${count} of ${bytes}, ${state}`
}

/** A channel of the host's. */
export function hostPeer(lab: Lab, channel: string): Peer {
  return {
    ...peerBy((command, ...words) => lab.host([command, channel, ...words].join(' ').trim())),
    rescue: async (milliseconds) => void (await lab.host(`rescue ${milliseconds} drain ${channel}`)),
    rescued: async () => (await lab.host('rescued')) === 'yes',
  }
}

/** A process of the guest's at the other end of the line. */
export function guestPeer(lab: Lab, path: string): Peer {
  const process = lab.start('node', PEER, path)
  return peerBy(async (...words) => {
    process.send(`${words.join(' ').trim()}\n`)
    const answer = await process.line()
    if (!answer.startsWith('ok')) throw new Error(`the other end of ${path} is gone`)
    return answer.slice('ok '.length)
  })
}

function peerBy(ask: (...words: string[]) => Promise<string>): Peer {
  return {
    send: async (text) => void (await ask('send', Buffer.from(text, 'latin1').toString('hex'))),
    hold: async () => void (await ask('hold')),
    drain: async (rate) => void (await ask('drain', String(rate ?? ''))),
    rescue: async (milliseconds) => void (await ask('rescue', String(milliseconds))),
    rescued: async () => (await ask('rescued')) === 'yes',
    received: async (bytes) => arrival(await ask('received', String(bytes)), bytes),
  }
}

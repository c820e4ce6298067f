/** The other end of a line: whoever sends, takes what comes, or lets it wait. */
import type { Lab } from '../row.js'

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
  const ask = async (line: string) => void (await lab.host(line))
  return {
    send: (text) => ask(`send ${channel} ${Buffer.from(text, 'latin1').toString('hex')}`),
    hold: () => ask(`hold ${channel}`),
    drain: (rate) => ask(`drain ${channel} ${rate ?? ''}`.trim()),
    rescue: (milliseconds) => ask(`rescue ${milliseconds} drain ${channel}`),
    rescued: async () => (await lab.host('rescued')) === 'yes',
    received: async (bytes) => arrival(await lab.host(`received ${channel} ${bytes}`), bytes),
  }
}

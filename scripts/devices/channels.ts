/** The host's end of the guest's devices: what they send is counted, held back, or let through at a rate. */
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

import { Arrivals } from './arrivals.js'

/** As many bytes are taken at once: a line that is held has no more than that on its way. */
const PIECE_BYTES = 96
/** QEMU makes its sockets when it starts. */
const CONNECT_ATTEMPTS = 600
const RETRY_MILLISECONDS = 50
/** Connects to a socket of QEMU's. */
export async function connectTo(path: string, onPiece: (piece: Buffer) => boolean): Promise<Socket> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await new Promise((resolve, reject) => {
        const socket: Socket = connect({
          path,
          onread: {
            buffer: Buffer.alloc(PIECE_BYTES),
            callback: (length, buffer) => onPiece(Buffer.from(buffer.subarray(0, length))),
          },
        })
        socket.once('error', reject)
        socket.once('connect', () => {
          socket.off('error', reject)
          // QEMU ends while the host still holds the other end.
          socket.on('error', () => {})
          resolve(socket)
        })
      })
    } catch (error) {
      if (attempt === CONNECT_ATTEMPTS) throw error
      await delay(RETRY_MILLISECONDS)
    }
  }
}

/** One device's channel. */
export class Channel {
  readonly #path: string
  #socket: Socket | undefined
  #isHeld = false
  #bytesPerSecond: number | undefined
  readonly arrivals = new Arrivals()

  constructor(path: string) {
    this.#path = path
  }

  async connect(): Promise<void> {
    this.#socket = await connectTo(this.#path, (piece) => this.#take(piece))
  }

  disconnect(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  send(bytes: Buffer): void {
    if (this.#socket === undefined) throw new Error(`${this.#path} is not connected`)
    this.#socket.write(bytes)
  }

  /** Takes nothing more: the device's buffers fill up. */
  hold(): void {
    this.#isHeld = true
    this.#socket?.pause()
  }

  /** Takes what comes, at most so many bytes a second. */
  drain(bytesPerSecond?: number): void {
    this.#isHeld = false
    this.#bytesPerSecond = bytesPerSecond
    this.#socket?.resume()
  }

  #take(piece: Buffer): boolean {
    this.arrivals.take(piece)
    if (this.#isHeld) return false
    if (this.#bytesPerSecond === undefined) return true
    setTimeout(
      () => {
        if (!this.#isHeld) this.#socket?.resume()
      },
      (piece.length / this.#bytesPerSecond) * 1000,
    )
    return false
  }
}

/** The host's end of the guest's devices: what they send is counted, held back, or let through at a rate. */
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** As many bytes are taken at once: a line that is held has no more than that on its way. */
const PIECE_BYTES = 96
/** QEMU makes its sockets when it starts. */
const CONNECT_ATTEMPTS = 600
const RETRY_MILLISECONDS = 50
/** After that much silence nothing more will come. */
const QUIET_MILLISECONDS = 300
/** A line of 9600 baud delivers what a row writes in less. */
const MOST_MILLISECONDS = 20_000

/** What all rows write: byte n of it is n modulo this prime, so that whatever is lost or swapped shows. */
export const PATTERN = 251

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
  #received = 0
  #isIntact = true
  #lastAt = 0

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

  /** Waits for so many bytes, or until no more come, and begins to count anew. */
  async received(bytes: number): Promise<{ count: number; isIntact: boolean }> {
    const start = performance.now()
    // Some more silence: what is too many has to be seen as well.
    const isQuiet = () => performance.now() - Math.max(this.#lastAt, start) > QUIET_MILLISECONDS
    while (!(this.#received >= bytes && isQuiet()) && performance.now() - start < MOST_MILLISECONDS) {
      await delay(RETRY_MILLISECONDS)
    }
    const result = { count: this.#received, isIntact: this.#isIntact }
    this.#received = 0
    this.#isIntact = true
    return result
  }

  #take(piece: Buffer): boolean {
    this.#isIntact &&= piece.every((byte, index) => byte === (this.#received + index) % PATTERN)
    this.#received += piece.length
    this.#lastAt = performance.now()
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

/** Core memory in JavaScript's hands: what `ring.alloc()` makes, and what reads without a buffer return. */
import { refusalError } from './errors.js'
import { Header, type NativeRing } from './native.js'

/** A part of core memory that an ArrayBuffer lies on. */
export interface Region {
  /** Whose memory it is. */
  readonly memory: CoreMemory
  /** The native side's number for it. */
  readonly number: number
}

const regionOfBuffer: unique symbol = Symbol('uring-safe-cancel.region')

type WithRegion = ArrayBufferLike & { [regionOfBuffer]?: Region }

/**
 * Reads without a buffer take slices of slabs, as Node's own buffer pool does: one ArrayBuffer for sixteen reads. A
 * slice that is kept keeps its slab.
 */
const SLAB_BYTES = 256 * 1024
/** Larger reads get memory of their own. */
const MAX_SLICE_BYTES = 64 * 1024
/** Slices start at a page, which O_DIRECT wants, or, if they are shorter than one, at a cache line. */
const PAGE_BYTES = 4096
const LINE_BYTES = 64

export class CoreMemory {
  readonly #native: NativeRing
  readonly #words: Int32Array
  #slab: ArrayBuffer | undefined
  #used = 0

  constructor(native: NativeRing, words: Int32Array) {
    this.#native = native
    this.#words = words
  }

  /** A Buffer of zeros that begins at a page. */
  alloc(bytes: number): Buffer {
    return Buffer.from(this.#allocate(bytes), 0, bytes)
  }

  /** A Buffer for a read without one. */
  slice(bytes: number): Buffer {
    if (bytes > MAX_SLICE_BYTES) return this.alloc(bytes)
    const grain = bytes < PAGE_BYTES ? LINE_BYTES : PAGE_BYTES
    let start = Math.ceil(this.#used / grain) * grain
    if (this.#slab === undefined || start + bytes > SLAB_BYTES) {
      this.#slab = this.#allocate(SLAB_BYTES)
      start = 0
    }
    this.#used = start + bytes
    return Buffer.from(this.#slab, start, bytes)
  }

  /** Makes an ArrayBuffer of the native side known as core memory. */
  adopt(buffer: ArrayBuffer): void {
    const region: Region = { memory: this, number: this.#words[Header.REGION] ?? 0 }
    Object.defineProperty(buffer, regionOfBuffer, { value: region })
  }

  /** The region's number, if the view lies on this ring's memory; otherwise -1. */
  regionOf(view: Uint8Array): number {
    const buffer: WithRegion = view.buffer
    const region = buffer[regionOfBuffer]
    return region !== undefined && region.memory === this ? region.number : -1
  }

  /** Lets go of the slab. */
  close(): void {
    this.#slab = undefined
  }

  #allocate(bytes: number): ArrayBuffer {
    const buffer = this.#native.alloc(bytes)
    if (typeof buffer === 'number') throw refusalError(buffer, 'mmap')
    this.adopt(buffer)
    return buffer
  }
}

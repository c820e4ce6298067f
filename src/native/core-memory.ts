/** Core memory in JavaScript's hands: what `ring.alloc()` makes, and what reads without a buffer return. */
import type { NativeRing } from './native-functions.js'
import { Header } from './protocol.js'
import { refusalError } from './refusals.js'
import { SlabLimit } from './slab-limit.js'

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
 * slice that is kept keeps its slab: {@link SlabLimit}.
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
  readonly #arenaBytes: number
  readonly #limit: SlabLimit
  #slab: ArrayBuffer | undefined
  #used = 0
  #hasRegions = false
  #slabRegion = -1
  /** The region of the latest slice, or -1: asking its buffer for it would take as long as making the slice. */
  sliceRegion = -1

  constructor(native: NativeRing, words: Int32Array, arenaBytes: number) {
    this.#native = native
    this.#words = words
    this.#arenaBytes = arenaBytes
    this.#limit = new SlabLimit(SLAB_BYTES, arenaBytes / 2)
  }

  /** A Buffer of zeros that begins at a page. */
  alloc(bytes: number): Buffer {
    const memory = this.#allocate(bytes, this.#arenaBytes)
    if (typeof memory === 'number') throw refusalError(memory, 'mmap')
    return Buffer.from(memory, 0, bytes)
  }

  /**
   * A Buffer for a read without one. Results that nobody has collected yet may take half of the arena, so that they
   * never keep an operation from its memory: beyond that it is a Buffer like any other, which gets a copy.
   */
  slice(bytes: number): Buffer {
    const half = this.#arenaBytes / 2
    if (bytes > MAX_SLICE_BYTES) {
      const memory = this.#allocate(bytes, half)
      if (typeof memory === 'number') return this.#plain(bytes)
      this.sliceRegion = this.#region
      return Buffer.from(memory, 0, bytes)
    }
    const grain = bytes < PAGE_BYTES ? LINE_BYTES : PAGE_BYTES
    let start = Math.ceil(this.#used / grain) * grain
    // Not SLAB_BYTES: the program may have transferred the slab away, which is its result's memory too.
    if (this.#slab === undefined || start + bytes > this.#slab.byteLength) {
      const limit = this.#limit.limitFor(bytes)
      const memory = limit > 0 ? this.#allocate(SLAB_BYTES, half, limit) : undefined
      if (memory === undefined) return this.#plain(bytes)
      if (typeof memory === 'number') {
        this.#limit.refused()
        return this.#plain(bytes)
      }
      this.#limit.made(1024 * (this.#words[Header.SLABS] ?? 0))
      this.#slab = memory
      this.#slabRegion = this.#region
      start = 0
    }
    this.#used = start + bytes
    this.sliceRegion = this.#slabRegion
    return Buffer.from(this.#slab, start, bytes)
  }

  #plain(bytes: number): Buffer {
    this.sliceRegion = -1
    return Buffer.alloc(bytes)
  }

  /** Makes an ArrayBuffer of the native side known as core memory. */
  adopt(buffer: ArrayBuffer): void {
    this.#hasRegions = true
    const region: Region = { memory: this, number: this.#region }
    Object.defineProperty(buffer, regionOfBuffer, { value: region })
  }

  /** The region's number, if the view lies on this ring's memory; otherwise -1. */
  regionOf(view: Uint8Array): number {
    // Asking a view for its buffer takes longer than all the rest: a program may have no core memory.
    if (!this.#hasRegions) return -1
    const buffer: WithRegion = view.buffer
    const region = buffer[regionOfBuffer]
    return region !== undefined && region.memory === this ? region.number : -1
  }

  /** The number of the region that the native side made last. */
  get #region(): number {
    return this.#words[Header.REGION] ?? 0
  }

  /** Lets go of the slab. */
  close(): void {
    this.#slab = undefined
  }

  /** Core memory, or why there is none. `most`: how much of the arena may be in use with it; `slabs`: how much by slabs. */
  #allocate(bytes: number, most: number, slabs = 0): ArrayBuffer | number {
    const memory = this.#native.alloc(bytes, most, slabs)
    if (typeof memory !== 'number') this.adopt(memory)
    return memory
  }
}

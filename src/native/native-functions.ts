/** The raw functions of one ring, and the array that it shares with them (crates/…-node/src/calls.rs). */

/** [id, operation, fd or -1, attempts, last answer or 1, milliseconds] */
export type NativeReport = [number, string, number, number, number, number]

/**
 * The native functions. Submissions take what {@link Given} names out of `given`; src/native/hot-calls.ts and rare-calls.ts have
 * them with parameters.
 */
export interface NativeRing {
  /** The array that both sides share: {@link Header}, {@link Given}, completions. */
  readonly words: Int32Array
  readonly given: Float64Array
  nop(): number
  read(): number
  readRegion(): number
  write(bytes: Uint8Array): number
  writeRegion(): number
  readv(parts: Float64Array): number
  writev(parts: Float64Array, buffers: Uint8Array[]): number
  /** Whatever {@link Given} says by its CODE. */
  submit(bytes?: Uint8Array): number
  cancel(id: number): number
  /** 1 if an operation was taken by that id, and its completion has not been given back. */
  has(id: number): number
  flush(): number
  turn(): number
  copy(bytes: Uint8Array): number
  release(id: number): number
  alloc(bytes: number, most: number, slabs: number): ArrayBuffer | number
  stats(target: Float64Array): number
  takeReports(): NativeReport[]
  setReferenced(referenced: number): number
  close(): number
  destroy(): number
  finish(): number
}

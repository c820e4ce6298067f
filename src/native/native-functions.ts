/** The raw functions of one ring, and the array that it shares with them (crates/…-node/src/calls.rs). */

/** [id, operation, fd or -1, attempts, last answer or 1, milliseconds] */
export type NativeReport = [number, string, number, number, number, number]

/**
 * The native functions. Those without parameters take what {@link Given} names out of `given`; src/native/hot-calls.ts has them
 * with parameters.
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
  readv(id: number, fd: number, parts: Float64Array, position: number, flags: number, timeout: number): number
  writev(
    id: number,
    fd: number,
    parts: Float64Array,
    buffers: Uint8Array[],
    position: number,
    flags: number,
    timeout: number,
  ): number
  poll(id: number, fd: number, events: number, flags: number, timeout: number): number
  sleep(id: number, milliseconds: number, flags: number, timeout: number): number
  open(id: number, path: Uint8Array, openFlags: number, mode: number, flags: number, timeout: number): number
  closeDescriptor(id: number, fd: number): number
  sync(id: number, fd: number, dataOnly: number, flags: number, timeout: number): number
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

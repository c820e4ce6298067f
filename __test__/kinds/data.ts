/** How bytes are named in a cell: as crates/kinds/src/memory.rs does, so that both can be compared. */

/** Up to so many bytes are named one by one; of more there is the number and a sum. */
const NAMED_BYTES = 64

export function describe(bytes: Uint8Array): string {
  if (bytes.length === 0) return '-'
  if (bytes.length <= NAMED_BYTES) return Buffer.from(bytes).toString('hex')
  let sum = 0x811c9dc5
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193)
  const head = Buffer.from(bytes.subarray(0, 8)).toString('hex')
  return `${head}..${bytes.length}:${(sum >>> 0).toString(16).padStart(8, '0')}`
}

/** The bytes that a test writes: each can be told from its neighbours, and from those of another seed. */
export function pattern(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let index = 0; index < length; index += 1) {
    bytes[index] = 65 + ((seed + index + Math.floor(index / 26)) % 26)
  }
  return bytes
}

/** How many bytes a description is of. */
export function lengthOf(description: string): number {
  if (description === '-') return 0
  const many = /\.\.(\d+):/.exec(description)
  return many === null ? description.length / 2 : Number(many[1])
}

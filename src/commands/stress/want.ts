/** What a run could not be made for want of: memory for a ring, or descriptors. That is no verdict on the contract. */

/** The codes of a ring that cannot be made, of descriptors that run out, and of a thread that does not begin for that. */
const CODES: ReadonlySet<unknown> = new Set([
  'ERR_IO_URING_UNAVAILABLE',
  'EMFILE',
  'ENFILE',
  'ERR_WORKER_INIT_FAILED',
])

/** Whether an error, of this thread or another, is for want of something. */
export function isForWant(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && CODES.has(error.code)
}

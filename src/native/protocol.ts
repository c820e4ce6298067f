/** The numbers that both sides of the boundary know: those of crates/…-node/src/. */

/** What a submission answers beside 0 and negative errnos. */
export const Refusal = {
  CLOSED: -10_001,
  QUEUE_FULL: -10_002,
  ARENA_FULL: -10_003,
  BAD_ARGUMENT: -10_004,
  NOT_EXTERNAL: -10_005,
  TOO_MANY_OPENS: -10_006,
  NO_PROCESS: -10_007,
  NO_PROCESS_OF_GROUP: -10_008,
  /** So much below the errno with which the kernel takes nothing of the ring any more. */
  FORBIDDEN: -20_000,
} as const

/** Words of the array's header. */
export const Header = {
  PENDING: 0,
  AGAIN: 1,
  REPORTS: 2,
  DRAINED: 3,
  REGION: 4,
  FULL: 5,
  /** How many operations the native side has taken, as 32 bits. */
  SUBMITTED: 6,
  /** Of the slabs that were still held before the last allocation: KiB. */
  SLABS: 7,
} as const
export const HEADER_WORDS = 8
/** Where in the array the arguments of the calls that are made most lie: doubles. See {@link Given}. */
export const Given = {
  ID: 0,
  FD: 1,
  LENGTH: 2,
  /** In the file; of a copy: in the kept memory. */
  POSITION: 3,
  FLAGS: 4,
  TIMEOUT: 5,
  /** The number of a region; of a copy: of a part. */
  REGION: 6,
  /** In the region, or in the caller's bytes. */
  START: 7,
} as const
export const GIVEN = 8
/** Where the first completion lies. */
export const FIRST_COMPLETION = HEADER_WORDS + 2 * GIVEN
/** Words of one completion: id, result, status, attempts. */
export const COMPLETION_WORDS = 4
/** Completions that the array holds: more than one turn of the event loop settles, except at a ring's end. */
export const COMPLETIONS = 512

/** The status word's verdict, and its flags. */
export const Status = {
  VERDICT: 3,
  COMPLETED: 0,
  FAILED: 1,
  CANCELLED: 2,
  STUCK: 3,
  TIMED_OUT: 4,
  KEPT: 8,
  FORBIDDEN: 16,
} as const

/** Bit of a submission's flags: `IOSQE_ASYNC`. */
export const ASYNCHRONOUS = 1
/** Larger results are kept until they are released; the others must be copied before the next flush. */
export const KEPT_BYTES = 1 << 16
/** A position that means the file's own. */
export const CURRENT_POSITION = -1

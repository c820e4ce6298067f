/**
 * The numbers that both sides of the boundary know. Written by `UPDATE=1 cargo test -p uring-safe-cancel-node`, from
 * crates/uring-safe-cancel-node/src/protocol.rs: edit that, not this.
 */

/** What a submission answers beside 0 and negative errnos: beyond all errnos. */
export const Refusal = {
  CLOSED: -10_001,
  QUEUE_FULL: -10_002,
  ARENA_FULL: -10_003,
  BAD_ARGUMENT: -10_004,
  /** The runtime allows no ArrayBuffers on memory of an addon. */
  NOT_EXTERNAL: -10_005,
  /** As many opens wait as may. */
  TOO_MANY_OPENS: -10_006,
  /** No thread can be had for an open that may wait: the user has as many as may be. */
  NO_PROCESS: -10_007,
  /** The same, and it is the control group that has. */
  NO_PROCESS_OF_GROUP: -10_008,
  /** So much below the errno with which the kernel takes nothing of the ring any more. */
  FORBIDDEN: -20_000,
} as const

/** Words of the array's header. */
export const Header = {
  /** Operations that have not settled. */
  PENDING: 0,
  /** 1: flush again after a millisecond, the kernel is short of something. */
  AGAIN: 1,
  /** 1: operations were reported as stuck. */
  REPORTS: 2,
  /** 1: the ring takes no more operations and has settled all it had. */
  DRAINED: 3,
  /** The region of the last allocation. */
  REGION: 4,
  /** 1: the next operation waits in the queue. */
  FULL: 5,
  /** How many operations the native side has taken, as 32 bits. */
  SUBMITTED: 6,
  /** Of the slabs that were still held before the last allocation: KiB. */
  SLABS: 7,
} as const

/**
 * The arguments of the calls that are made for each operation: doubles. They lie in the array because Node-API takes as
 * long for two arguments as JavaScript does for all of them.
 */
export const Given = {
  /** JavaScript's id of the operation. */
  ID: 0,
  FD: 1,
  LENGTH: 2,
  /** In the file; of a copy: in the kept memory. */
  POSITION: 3,
  FLAGS: 4,
  /** In milliseconds; 0 is none. */
  TIMEOUT: 5,
  /** The number of a region; of a copy: of a vectored read's part. */
  REGION: 6,
  /** In the region, or in the caller's bytes. */
  START: 7,
  /** What is submitted by the door for all: a `Code`. */
  CODE: 8,
  /** Its first number: the events of a poll, the milliseconds of a sleep, the flags of an open, 1 for fdatasync. */
  FIRST: 9,
  /** Its second number: the mode of an open. */
  SECOND: 10,
} as const

/** What the door for operations that are made seldom is asked for. 0 is what comes of an array that is gone. */
export const Code = {
  POLL: 1,
  SLEEP: 2,
  OPEN: 3,
  CLOSE: 4,
  SYNC: 5,
} as const

/** The status word of a completion: the verdict, and flags. */
export const Status = {
  /** The verdict's bits. */
  VERDICT: 3,
  COMPLETED: 0,
  FAILED: 1,
  CANCELLED: 2,
  STUCK: 3,
  /** The operation's timeout asked for the cancel. */
  TIMED_OUT: 4,
  /** The bytes lie in core memory and wait to be copied out. */
  KEPT: 8,
  /** The errno is the kernel's answer to the ring itself, of which it takes nothing any more. */
  FORBIDDEN: 16,
} as const

/** Places of the counters. */
export const Counter = {
  SUBMITTED: 0,
  COMPLETED: 1,
  IN_FLIGHT: 2,
  QUEUED: 3,
  CANCELS_REQUESTED: 4,
  CANCEL_ATTEMPTS: 5,
  REISSUES: 6,
  RESCUED: 7,
  STUCK: 8,
  MAX_ATTEMPTS: 9,
  ANSWERS_FOUND: 10,
  ANSWERS_NOT_FOUND: 11,
  ANSWERS_ALREADY: 12,
  ANSWERS_OTHER: 13,
  REFUSALS: 14,
  DISCARDED: 15,
  ARENA_HELD: 16,
} as const

/** Words of the array's header. */
export const HEADER_WORDS = 8

/** How many arguments there are. */
export const GIVEN_NUMBERS = 11

/** Where in the array the first completion lies. */
export const FIRST_COMPLETION = 30

/** Words of one completion: id, result, status, attempts. */
export const COMPLETION_WORDS = 4

/** Completions that the array holds: more than one turn of the event loop settles, except at a ring's end. */
export const COMPLETIONS = 512

/** How many counters there are. */
export const COUNTERS_TOTAL = 17

/** Bit of a submission's flags: `IOSQE_ASYNC`. */
export const ASYNCHRONOUS = 1

/**
 * Larger results are kept until they are released: JavaScript copies only so much in a turn of the event loop. The others
 * must be copied before the next flush.
 */
export const KEPT_BYTES = 65_536

/** A position that means the file's own. */
export const CURRENT_POSITION = -1

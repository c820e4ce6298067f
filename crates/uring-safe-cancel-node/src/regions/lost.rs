//! Core memory that an environment's end leaves to whom it may have been transferred. Nobody hears when they are done with it,
//! so it is never freed.
//!
//! A program may go on making workers, each of which loses some: above a bound they get copies instead of core memory, which
//! cost time, and leave nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use uring_safe_cancel::Memory;

/// As much as a few of the largest results that programs hand from thread to thread. A process that lives by it has that much
/// more; one that starts a worker for each request loses no more than that.
const MOST_BYTES: usize = 32 << 20;

static LOST: AtomicUsize = AtomicUsize::new(0);

/// Whether no more may be handed out where it could be lost.
pub(super) fn is_too_much() -> bool {
    LOST.load(Ordering::Relaxed) >= MOST_BYTES
}

/// Leaves a piece to somebody else, for ever.
pub(super) fn leak(memory: Memory) {
    LOST.fetch_add(memory.len(), Ordering::Relaxed);
    std::mem::forget(memory);
}

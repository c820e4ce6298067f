//! What the rings of a thread may do in one turn of its event loop, together: timers wait for all of them, however many there
//! are. Who found nothing left is first in one of the next turns.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::c_void;

/// How many completions the event loop gives JavaScript in one turn. The others wait for the next, so that timers
/// fire: 64 reads of 4 KiB take some 100 µs with what they submit anew.
pub(crate) const TURN_COMPLETIONS: usize = 64;
/// Where more rings wait than that, a turn of the event loop asks each of them, and would do so for too little: it gives as many
/// as wait, up to this, which take a quarter of a millisecond.
const MOST_TURN_COMPLETIONS: usize = 256;
/// But however large they are, and however many rings have some, a ring whose turn it is gets so many: a flush and a call into
/// JavaScript take as long as five of them.
pub(crate) const LEAST_COMPLETIONS: usize = 8;
/// What may complete at once when microtasks submit it, in one turn of the event loop: in units of the plainest operation,
/// which takes some 0.3 µs. Without a bound, chains of awaits never came back to the loop, and a 1 ms timer did not fire
/// once in 400 ms. Beyond it operations are submitted, and their completions come with the next turn.
const INLINE_BUDGET: usize = 384;

struct Thread {
    /// What is left of [`INLINE_BUDGET`] in this turn.
    inline: Cell<usize>,
    /// What is left of [`TURN_COMPLETIONS`].
    completions: Cell<usize>,
    /// Rings that have completions, by how long they have waited.
    waiting: RefCell<VecDeque<*mut c_void>>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            inline: Cell::new(INLINE_BUDGET),
            completions: Cell::new(TURN_COMPLETIONS),
            waiting: RefCell::new(VecDeque::new()),
        }
    };
}

/// A new turn begins. All rings of the thread say so, one after the other, before any of them does anything.
pub(crate) fn renew() {
    THREAD.with(|thread| {
        thread.inline.set(INLINE_BUDGET);
        let waiting = thread.waiting.borrow().len().min(MOST_TURN_COMPLETIONS);
        thread.completions.set(TURN_COMPLETIONS.max(waiting));
    });
}

/// What microtasks may still complete in this turn.
#[inline]
pub(crate) fn inline() -> usize {
    THREAD.with(|thread| thread.inline.get())
}

#[inline]
pub(crate) fn spend_inline(units: usize) {
    THREAD.with(|thread| thread.inline.set(thread.inline.get().saturating_sub(units)));
}

/// How many completions a ring whose turn it is may give: an equal part of what one turn has for all that wait.
pub(crate) fn share() -> usize {
    THREAD.with(|thread| {
        let rings = thread.waiting.borrow().len() + 1;
        (TURN_COMPLETIONS / rings).max(LEAST_COMPLETIONS)
    })
}

pub(crate) fn spend(completions: usize) {
    THREAD.with(|thread| {
        thread.completions.set(thread.completions.get().saturating_sub(completions));
    });
}

/// A ring has completions, and stands in no queue yet.
pub(crate) fn enqueue(ring: *mut c_void) {
    THREAD.with(|thread| thread.waiting.borrow_mut().push_back(ring));
}

/// The ring that has waited longest, if this turn has anything left. It has left the queue.
pub(crate) fn next() -> Option<*mut c_void> {
    THREAD.with(|thread| match thread.completions.get() {
        0 => None,
        _ => thread.waiting.borrow_mut().pop_front(),
    })
}

/// A ring goes.
pub(crate) fn forget(ring: *mut c_void) {
    // The thread's own memory may be gone at its end, and nobody asks it any more then.
    let _ = THREAD.try_with(|thread| thread.waiting.borrow_mut().retain(|&other| other != ring));
}

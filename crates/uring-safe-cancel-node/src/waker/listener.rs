//! Who is told of completions, and of the event loop's turns: all that wakers know of a ring.

use std::ffi::c_void;

#[derive(Clone, Copy)]
pub(crate) struct Listener {
    /// What the functions are called with.
    pub(crate) data: *mut c_void,
    /// A new turn of the event loop begins.
    pub(crate) turn: unsafe fn(*mut c_void),
    /// Completions are there, and others of the thread may wait for the same turn.
    pub(crate) deliver_in_turn: unsafe fn(*mut c_void),
    /// Completions are there.
    pub(crate) deliver: unsafe fn(*mut c_void),
}

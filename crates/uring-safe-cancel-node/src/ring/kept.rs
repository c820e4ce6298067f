//! Memory of completed reads that JavaScript has yet to copy out.

use uring_safe_cancel::Memory;

/// What becomes of an operation's memory when it has a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing in it is of interest.
    No,
    /// Its bytes are to be copied out.
    Copy,
    /// Its bytes are where they belong; they are kept until the next flush, in case the ArrayBuffer on
    /// them was detached meanwhile.
    Region,
}

/// Bytes of a completed read.
#[derive(Default)]
pub(crate) enum Kept {
    #[default]
    Nothing,
    One(Memory),
    Many(Vec<Memory>),
}

/// Memory of completed reads, by JavaScript's id.
#[derive(Default)]
pub(super) struct KeptResults {
    by_id: Vec<Kept>,
    /// Those that the next flush, or the next turn of the event loop, lets go.
    until_flush: Vec<u32>,
}

impl KeptResults {
    pub(super) fn keep(&mut self, id: u32, memory: Kept, until_flush: bool) {
        if self.by_id.len() <= id as usize {
            self.by_id.resize_with(id as usize + 1, Kept::default);
        }
        self.by_id[id as usize] = memory;
        if until_flush {
            self.until_flush.push(id);
        }
    }

    pub(super) fn release_flushed(&mut self) {
        for id in self.until_flush.drain(..) {
            self.by_id[id as usize] = Kept::Nothing;
        }
    }

    pub(super) fn of(&mut self, id: u32) -> Option<&mut Kept> {
        self.by_id.get_mut(id as usize)
    }
}

//! One operation at a time, where two would be in each other's way.
//!
//! Reads at the current position that run at the same time read the same bytes (255 of 256 did on a cold file), because each
//! takes the position before any of them moves it. And before 6.9 two operations that a worker waits with on one file may
//! spin in the kernel for ever. So one is in flight, and the others are parked here, in order.

use crate::table::List;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::os::fd::RawFd;

/// Which line an operation stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LineKey {
    /// The descriptor's number; -1 where it belongs to none.
    pub(super) number: RawFd,
    pub(super) lane: Lane,
}

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// The file's position.
    Position,
    /// A worker that reads. (An idle read must not keep a write waiting.)
    Reader,
    /// A worker that writes.
    Writer,
    /// Workers that may wait for a server, or for whatever an open waits for. It belongs to no descriptor.
    Waiters,
}

#[derive(Debug)]
struct Line {
    /// Which file it was when the line began. The number may mean another one by now.
    identity: (u64, u64),
    running: u32,
    parked: List,
}

/// The lines. There is one as long as somebody runs.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: HashMap<LineKey, Line, BuildHasherDefault<NumberHasher>>,
}

impl Lines {
    /// Whether as many run as may, so that a new operation must be parked. If not, it runs itself.
    pub(super) fn enter(&mut self, key: LineKey, identity: (u64, u64), most: u32) -> bool {
        let new = || Line { identity, running: 0, parked: List::new() };
        let line = self.lines.entry(key).or_insert_with(new);
        let is_full = line.running >= most;
        line.running += u32::from(!is_full);
        is_full
    }

    /// Which file the line is for.
    pub(super) fn identity(&self, key: LineKey) -> Option<(u64, u64)> {
        self.lines.get(&key).map(|line| line.identity)
    }

    /// Those that wait in a line.
    pub(super) fn parked(&mut self, key: LineKey) -> Option<&mut List> {
        self.lines.get_mut(&key).map(|line| &mut line.parked)
    }

    /// One that ran has ended. The list, if somebody's turn has come: whoever leaves it runs.
    pub(super) fn leave(&mut self, key: LineKey) -> Option<&mut List> {
        let line = self.lines.get_mut(&key)?;
        if !line.parked.is_empty() {
            return self.parked(key);
        }
        line.running -= 1;
        if line.running == 0 {
            self.lines.remove(&key);
        }
        None
    }
}

/// Descriptor numbers are small and dense: a multiplication spreads them, and nobody attacks them.
#[derive(Debug, Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_i32(i32::from(byte));
        }
    }

    fn write_isize(&mut self, number: isize) {
        self.write_i32(number as i32);
    }

    fn write_i32(&mut self, number: i32) {
        self.0 = (self.0 ^ u64::from(number as u32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

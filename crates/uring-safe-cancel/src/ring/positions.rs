//! One operation at a time where the file's position is shared.
//!
//! Reads at the current position that run at the same time on a cold file read the same bytes (255 of
//! 256 did), because each takes the position before any of them moves it. So on a seekable descriptor
//! one is in flight, and the others are parked here, in order.

use crate::file_status::file_status;
use crate::table::List;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::os::fd::RawFd;

#[derive(Debug, Default)]
struct Line {
    /// Operations at the current position that are in flight or in the table's queue.
    running: u32,
    /// Whether the descriptor has a position. Only asked when a second operation comes, so that the
    /// usual one costs no system call.
    seekable: Option<bool>,
    parked: List,
}

/// The lines, by descriptor number.
#[derive(Debug, Default)]
pub(super) struct Positions {
    lines: HashMap<RawFd, Line, BuildHasherDefault<NumberHasher>>,
}

impl Positions {
    /// Whether a new operation at the current position of `number` must wait for another one.
    pub(super) fn must_park(&mut self, number: RawFd) -> bool {
        let Some(line) = self.lines.get_mut(&number) else { return false };
        *line.seekable.get_or_insert_with(|| is_seekable(number))
    }

    /// A new operation runs.
    pub(super) fn start(&mut self, number: RawFd) {
        self.lines.entry(number).or_default().running += 1;
    }

    /// Those that wait for `number`'s position.
    pub(super) fn parked(&mut self, number: RawFd) -> &mut List {
        &mut self.lines.entry(number).or_default().parked
    }

    /// A running operation ended. The list, if somebody's turn has come: whoever leaves it runs.
    pub(super) fn end(&mut self, number: RawFd) -> Option<&mut List> {
        let line = self.lines.get_mut(&number)?;
        line.running -= 1;
        if line.running > 0 {
            return None;
        }
        if line.parked.is_empty() {
            self.lines.remove(&number);
            return None;
        }
        let line = self.lines.get_mut(&number)?;
        line.running = 1;
        Some(&mut line.parked)
    }
}

/// Whether reads move a position that others share. lseek(2) cannot tell: it succeeds on eventfds,
/// timerfds and inotify descriptors, which have none.
fn is_seekable(number: RawFd) -> bool {
    file_status(number).is_ok_and(|status| matches!(status.kind, libc::S_IFREG | libc::S_IFBLK))
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

    fn write_i32(&mut self, number: i32) {
        self.0 = (self.0 ^ u64::from(number as u32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

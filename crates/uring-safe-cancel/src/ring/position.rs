//! A file's position, moved as read(2) and write(2) move it.
//!
//! The kernel moves it only where an attempt of io_uring's returns its count at once: never for direct I/O, and not for what
//! was cut short and continued in a worker. So the ring takes the position itself, and gives the kernel an offset.

use crate::descriptor::FileKind;
use crate::operation::Operation;
use std::os::fd::RawFd;

/// How an operation at the current position moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// It has no business with a position.
    None,
    /// It has not taken it yet.
    Untaken,
    /// The position is behind all its bytes: what they come to be less is given back. Whoever shares the open file, another
    /// process perhaps, gets neither the same bytes nor the same place.
    Reserved(u32),
    /// The position is where it was, and moves by what comes.
    After,
    /// The file is appended to: the position is the end afterwards.
    ToEnd,
    /// The kernel moves it.
    Kernel,
}

/// Takes the position of a file for an operation, which gets it as its offset.
pub(super) fn take(operation: &mut Operation, kind: FileKind, number: RawFd) -> Move {
    if operation.is_write() && is_appended(number) {
        // It ignores its offset. To ask where the end is may ask a server, whose files the kernel writes at once, in a worker.
        let is_near = matches!(kind, FileKind::Local | FileKind::Layered | FileKind::Block);
        return if is_near { Move::ToEnd } else { Move::Kernel };
    }
    let length = operation.length();
    // The files of /proc make up their content up to where one seeks.
    let reserves = !matches!(kind, FileKind::Pseudo { .. });
    let reserved = reserves.then(|| seek(number, length as i64, libc::SEEK_CUR)).flatten();
    if let Some(end) = reserved {
        operation.set_offset(end - length as u64);
        return Move::Reserved(length as u32);
    }
    // A block device cannot be sought beyond its end, nor a file beyond the largest one.
    match seek(number, 0, libc::SEEK_CUR) {
        Some(position) => {
            operation.set_offset(position);
            Move::After
        }
        None => Move::Kernel,
    }
}

/// What is left to move once `done` bytes are.
#[inline]
pub(super) fn is_settled(taken: Move, done: u32) -> bool {
    match taken {
        Move::None | Move::Untaken | Move::Kernel => true,
        Move::Reserved(length) => length == done,
        Move::After | Move::ToEnd => done == 0,
    }
}

/// Moves it where it belongs. `number` must still mean the file.
pub(super) fn settle(taken: Move, done: u32, number: RawFd) {
    let _ = match taken {
        Move::Reserved(length) => seek(number, i64::from(done) - i64::from(length), libc::SEEK_CUR),
        Move::After => seek(number, i64::from(done), libc::SEEK_CUR),
        Move::ToEnd => seek(number, 0, libc::SEEK_END),
        Move::None | Move::Untaken | Move::Kernel => None,
    };
}

fn seek(number: RawFd, by: i64, whence: libc::c_int) -> Option<u64> {
    // SAFETY: the call takes three integers.
    let position = unsafe { libc::lseek64(number, by, whence) };
    u64::try_from(position).ok()
}

fn is_appended(number: RawFd) -> bool {
    // SAFETY: the call takes two integers.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFL) };
    flags >= 0 && flags & libc::O_APPEND != 0
}

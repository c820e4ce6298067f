//! How an operation may touch its file, so that nothing ever holds the ring's thread: io_uring_enter moves what is there, and
//! no more.
//!
//! What can be polled may still wait: the kernel polls a terminal, and then makes a call that only O_NONBLOCK keeps from waiting;
//! a driver that ignores O_NONBLOCK is called *because of* it. Nobody but the kind of the file tells. So the kernel's workers
//! get what may wait, all else is plain, and what neither polls nor waits is told here and now.

use super::lines::{Lane, LineKey};
use super::position::Move;
use super::Ring;
use crate::descriptor::{FileKind, Look};
use crate::kernel::{Access, Kernel, OpenKind, Ticket, Waiter, Way, WorkerLimit};
use crate::operation::{Open, Operation, CURRENT_POSITION};
use std::os::fd::RawFd;

/// How an operation is to run.
#[derive(Debug)]
pub(super) struct Placement {
    /// What its file is.
    pub(super) look: Look,
    /// Whether its SQE carries `IOSQE_ASYNC`.
    pub(super) asynchronous: bool,
    /// Whether it can do without that.
    pub(super) needs_worker: bool,
    /// Whether it must hold its file, because to let go of the last reference may wait.
    pub(super) holds: bool,
    /// Whether -EAGAIN says that nothing is there yet.
    pub(super) waits: bool,
    /// How it moves its file's position.
    pub(super) moves: Move,
    /// The line it stands in.
    pub(super) line: Option<LineKey>,
    /// Its place among the kernel's workers, if it may keep one for long.
    pub(super) ticket: Option<Ticket>,
}

/// Where an operation belongs.
pub(super) enum Placed {
    /// With the kernel, as it is. `waits`: -EAGAIN says that nothing is there yet.
    Plain {
        /// See [`Placement::waits`].
        waits: bool,
    },
    /// With the kernel, but not just so.
    Apart(Box<Placement>),
    /// Nowhere: its result is known.
    Settles(i32),
    /// Nowhere: there is no worker for it.
    Refused(WorkerLimit),
}

impl<K: Kernel, C> Ring<K, C> {
    /// Decides. `wants_worker`: its client asked for `IOSQE_ASYNC`.
    #[inline(always)]
    pub(super) fn place(&mut self, operation: &Operation, wants_worker: bool) -> Placed {
        // What programs do most, without a call.
        let (descriptor, memory, offset) = match operation {
            Operation::Nop(_) | Operation::Close(_) if !wants_worker => {
                return Placed::Plain { waits: false }
            }
            Operation::Read(read) => (&read.descriptor, &read.memory, read.offset),
            Operation::Write(write) => (&write.descriptor, &write.memory, write.offset),
            _ => return self.place_apart(operation, wants_worker),
        };
        let is_current = offset == CURRENT_POSITION;
        let is_write = matches!(operation, Operation::Write(_));
        if !wants_worker && !memory.is_empty() {
            if self.looks.is_plain(descriptor, is_current, is_write) {
                return Placed::Plain { waits: is_current };
            }
            self.looks.at(&self.kernel, descriptor, !is_current);
            if self.looks.is_plain(descriptor, is_current, is_write) {
                return Placed::Plain { waits: is_current };
            }
        }
        self.place_apart(operation, wants_worker)
    }

    #[inline(never)]
    fn place_apart(&mut self, operation: &Operation, wants_worker: bool) -> Placed {
        let Some(descriptor) = operation.descriptor() else {
            let asynchronous = wants_worker && operation.is_repeatable();
            return match operation {
                Operation::Open(open) if operation.needs_worker() => self.place_open(open),
                _ if asynchronous => apart(Placement { asynchronous, ..NOWHERE }),
                _ => Placed::Plain { waits: false },
            };
        };
        let number = descriptor.number();
        let transfer = operation.transfer();
        let is_placed = transfer.is_some_and(|transfer| transfer.offset != CURRENT_POSITION);
        let look = self.looks.at(&self.kernel, descriptor, is_placed);
        let kind = look.kind;
        if let Some(transfer) = transfer {
            let may_lack_position = !kind.has_position() || matches!(kind, FileKind::Pseudo { .. });
            if transfer.is_empty || (is_placed && may_lack_position) || kind == FileKind::Anonymous
            {
                if let Some(result) = tell(operation, kind, number, is_placed, transfer.is_empty) {
                    return Placed::Settles(result);
                }
                self.looks.allow(number, operation.is_write());
            }
        }
        let access = operation.access();
        let way = self.kernel.way(number, kind, access, wants_worker);
        let is_at_position = transfer.is_some() && !is_placed && kind.has_position();
        let lane = match (is_at_position, way) {
            (true, _) => Some(Lane::Position),
            // Where reads and writes share a position, those without one stand in its line, too.
            (false, Way::InTurn) if kind.has_position() => Some(Lane::Position),
            (false, Way::InTurn) if access == Access::Write => Some(Lane::Writer),
            (false, Way::InTurn) => Some(Lane::Reader),
            (false, Way::Worker) if is_served(kind) => Some(Lane::Waiters),
            (false, _) => None,
        };
        let ticket = match way {
            Way::Worker | Way::InTurn if is_served(kind) => self.kernel.admit(Waiter::Other).ok(),
            _ => None,
        };
        let line = lane.map(|lane| match lane {
            Lane::Waiters => WAITERS,
            lane => LineKey { number, lane },
        });
        let holds = kind.waits_at_release();
        let waits = transfer.is_some() && promises_to_wait(kind, number);
        if way == Way::Plain && line.is_none() && !holds && !wants_worker {
            return Placed::Plain { waits };
        }
        apart(Placement {
            look,
            asynchronous: way != Way::Plain,
            needs_worker: matches!(way, Way::Worker | Way::InTurn),
            holds,
            waits,
            moves: if is_at_position { Move::Untaken } else { Move::None },
            line,
            ticket,
        })
    }

    /// Every open is a worker's. The kernel would try it on the ring's thread with O_NONBLOCK first, which a FIFO takes for a
    /// wish of its own (a reader would get it without a writer, and read its end; a writer ENXIO), and which keeps no device
    /// from waiting for whoever closes it.
    #[cold]
    fn place_open(&mut self, open: &Open) -> Placed {
        let open_is = self.kernel.open_kind(open.path(), open.flags());
        let (line, waiter) = match open_is {
            OpenKind::Prompt => (None, None),
            OpenKind::Waits => (None, Some(Waiter::Open)),
            OpenKind::Unknown => (Some(WAITERS), Some(Waiter::Other)),
        };
        let ticket = match waiter.map(|waiter| self.kernel.admit(waiter)).transpose() {
            Ok(ticket) => ticket,
            Err(limit) => return Placed::Refused(limit),
        };
        apart(Placement { asynchronous: true, needs_worker: true, line, ticket, ..NOWHERE })
    }
}

fn apart(placement: Placement) -> Placed {
    Placed::Apart(Box::new(placement))
}

/// Where an operation on no descriptor belongs.
pub(super) const NOWHERE: Placement = Placement {
    look: Look::at(FileKind::Unknown),
    asynchronous: false,
    needs_worker: false,
    holds: false,
    waits: false,
    moves: Move::None,
    line: None,
    ticket: None,
};

/// The line of all that may wait for somebody, on whatever file.
const WAITERS: LineKey = LineKey { number: -1, lane: Lane::Waiters };

/// Whether a server must answer.
fn is_served(kind: FileKind) -> bool {
    matches!(kind, FileKind::Fuse | FileKind::Remote)
}

/// A read waits for what comes, on a descriptor with O_NONBLOCK, too. But a file that does not wait by itself says -EAGAIN
/// for reasons of its own.
#[inline(always)]
fn promises_to_wait(kind: FileKind, number: RawFd) -> bool {
    match kind {
        FileKind::Local | FileKind::Layered | FileKind::Block | FileKind::Directory => false,
        FileKind::Fuse | FileKind::Remote | FileKind::Pseudo { .. } => {
            // SAFETY: the call takes two integers.
            let flags = unsafe { libc::fcntl(number, libc::F_GETFL) };
            flags >= 0 && flags & libc::O_NONBLOCK != 0
        }
        _ => true,
    }
}

/// What the system call says at once, where the kernel's workers or a poll would wait first, or not say it at all. `None`
/// where only the operation itself can tell.
#[cold]
fn tell(
    operation: &Operation,
    kind: FileKind,
    number: RawFd,
    is_placed: bool,
    is_empty: bool,
) -> Option<i32> {
    let is_write = operation.is_write();
    if is_placed && !matches!(kind, FileKind::Unknown | FileKind::Directory) {
        // io_uring ignores a position that the file does not have.
        let told = no_bytes(number, is_write, true);
        if told == -libc::ESPIPE {
            return Some(told);
        }
    }
    if kind == FileKind::Anonymous {
        // What cannot be read or written at all (a pidfd, an epoll) would be polled for ever.
        let told = no_bytes(number, is_write, false);
        if told < 0 {
            return Some(told);
        }
    }
    if !is_empty {
        return None;
    }
    match (kind, operation) {
        (FileKind::Pipe, Operation::Read(_) | Operation::Write(_)) => {
            Some(nothing(number, is_write))
        }
        // An eventfd refuses a write of nothing; all else that has no name can only be read.
        (FileKind::Anonymous, Operation::Write(_)) => Some(nothing(number, true)),
        // Drivers may wait for another reader first. Of an array of none they are not asked, nor is anybody else.
        (FileKind::Device | FileKind::PromptDevice, _)
        | (
            FileKind::Pipe | FileKind::Anonymous,
            Operation::ReadVectored(_) | Operation::WriteVectored(_),
        ) => Some(no_bytes(number, is_write, false)),
        _ => None,
    }
}

/// read(2) or write(2) of no bytes.
fn nothing(number: RawFd, is_write: bool) -> i32 {
    let mut none = 0u8;
    // SAFETY: of no bytes none is read or written.
    let result = unsafe {
        if is_write {
            libc::write(number, std::ptr::from_ref(&none).cast(), 0)
        } else {
            libc::read(number, std::ptr::from_mut(&mut none).cast(), 0)
        }
    };
    errno_or(result)
}

/// The same with an empty array, which asks the kernel whether it could be, and no driver.
fn no_bytes(number: RawFd, is_write: bool, is_placed: bool) -> i32 {
    let none = std::ptr::null::<libc::iovec>();
    // SAFETY: of an array of none nothing is read.
    let result = unsafe {
        match (is_write, is_placed) {
            (false, false) => libc::readv(number, none, 0),
            (true, false) => libc::writev(number, none, 0),
            (false, true) => libc::preadv64(number, none, 0, 0),
            (true, true) => libc::pwritev64(number, none, 0, 0),
        }
    };
    errno_or(result)
}

fn errno_or(result: isize) -> i32 {
    if result >= 0 {
        return 0;
    }
    -std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

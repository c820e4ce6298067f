//! The boundary to the kernel: what the ring asks of it.
//!
//! The real one is [`crate::real::RealKernel`]. A simulated one can stand in its place: the ring is
//! generic over the trait, so the real one pays nothing for that.

pub mod decoded;

use crate::descriptor::{FileKind, Look};
use crate::tag::Tag;
pub use io_uring::squeue::Entry;
use io_uring::types::Timespec;
use std::ffi::CStr;
use std::io;
use std::os::fd::RawFd;

/// Nanoseconds on the monotonic clock.
pub type Nanoseconds = u64;

/// The kernel's form of a time.
pub(crate) fn timespec(time: Nanoseconds) -> Timespec {
    const SECOND: u64 = 1_000_000_000;
    Timespec::new().sec(time / SECOND).nsec((time % SECOND) as u32)
}

/// What the ring itself asks the kernel for, beside its operations, which make their own SQEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// poll(2) of one descriptor, once: between two attempts of an operation.
    Poll {
        /// The file.
        descriptor: RawFd,
        /// The mask of events, as poll(2) has them.
        events: u32,
    },
    /// A pause between two attempts; [`crate::machine::pause`] says how long.
    Pause {
        /// Its number.
        number: u8,
    },
    /// The cancel of the operation with this tag.
    Cancel {
        /// Whose.
        target: Tag,
    },
    /// The ring's timer.
    Timer {
        /// When it fires.
        deadline: Nanoseconds,
    },
    /// A new deadline for the ring's timer.
    TimerUpdate {
        /// Which arming of it.
        timer: Tag,
        /// When it fires.
        deadline: Nanoseconds,
    },
}

/// An SQE of the ring's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Its identity.
    pub tag: Tag,
    /// What it asks for.
    pub work: Work,
    /// `IOSQE_ASYNC`: let a worker thread of the kernel do it.
    pub asynchronous: bool,
}

/// One CQE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cqe {
    /// The SQE's tag, as the kernel gave it back.
    pub user_data: u64,
    /// The result: a count, a descriptor, a mask, or a negative errno.
    pub result: i32,
    /// Another CQE with this tag follows.
    pub more: bool,
    /// The CQE only says that memory is free again.
    pub notification: bool,
}

/// The submission queue is full: enter, and try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

/// What the ring needs of a kernel.
pub trait Kernel {
    /// Puts an SQE into the submission queue. The kernel sees it at the next [`Kernel::enter`].
    ///
    /// # Safety
    ///
    /// The addresses in it must stay valid, and unused by anyone else who would mind, until the final
    /// CQE with its tag has been reaped.
    unsafe fn queue(&mut self, submission: &Submission) -> Result<(), QueueFull>;

    /// The same for an operation's own SQE.
    ///
    /// # Safety
    ///
    /// As for [`Kernel::queue`].
    unsafe fn queue_entry(
        &mut self,
        tag: Tag,
        entry: Entry,
        asynchronous: bool,
    ) -> Result<(), QueueFull>;

    /// The same, not inlined: for operations that are made seldom.
    ///
    /// # Safety
    ///
    /// As for [`Kernel::queue`].
    #[inline(never)]
    unsafe fn queue_rare(
        &mut self,
        tag: Tag,
        entry: Entry,
        asynchronous: bool,
    ) -> Result<(), QueueFull> {
        // SAFETY: the caller vouches for the addresses.
        unsafe { self.queue_entry(tag, entry, asynchronous) }
    }

    /// How many SQEs the kernel has not taken.
    fn queued(&self) -> u32;

    /// Whether completions wait inside the kernel for a [`Kernel::enter`] (overflow, task work).
    fn has_backlog(&self) -> bool;

    /// Hands the queued SQEs over and waits until `wanted` CQEs are there. May take a part of them
    /// only, or fail for a while (EINTR, EAGAIN, EBUSY, ENOMEM); nothing is lost by that.
    fn enter(&mut self, wanted: u32) -> io::Result<()>;

    /// The next CQE, if there is one.
    fn reap(&mut self) -> Option<Cqe>;

    /// The monotonic clock.
    fn now(&self) -> Nanoseconds;

    /// What a descriptor leads to.
    fn look(&self, number: RawFd) -> Look {
        crate::descriptor::look(number)
    }

    /// Whether a descriptor leads to a pipe, where that is cheaper to ask than what it leads to; otherwise no.
    fn is_pipe(&self, _number: RawFd) -> bool {
        false
    }

    /// How this kernel must be given an operation on a file of a kind. `is_wanted`: its client asked for `IOSQE_ASYNC`. Where he
    /// did not, reads and writes of pipes, sockets, what has no name, devices that never wait, regular files of this machine and
    /// block devices are plain, and it need not be asked.
    fn way(&self, _number: RawFd, kind: FileKind, access: Access, is_wanted: bool) -> Way {
        match (kind, access) {
            (FileKind::Fuse, Access::Poll | Access::Read | Access::Write)
            | (
                FileKind::Device | FileKind::Remote | FileKind::Pseudo { .. },
                Access::Read | Access::Write,
            ) => Way::Worker,
            _ if is_wanted => Way::Hinted,
            _ => Way::Plain,
        }
    }

    /// Whether an open may wait, as far as the kernel can say so without waiting.
    fn open_kind(&self, _path: &CStr, _flags: i32) -> OpenKind {
        OpenKind::Prompt
    }

    /// Makes room among the kernel's workers for an operation that may keep one for long, until the ticket is dropped.
    fn admit(&self, _waiter: Waiter) -> Result<Ticket, WorkerLimit> {
        Ok(Ticket::default())
    }

    /// How many operations that may keep a worker for long, and of which nobody knows whether they will, may be in flight.
    fn most_unknown(&self) -> u32 {
        u32::MAX
    }
}

/// Whether an open may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenKind {
    /// No longer than it takes.
    Prompt,
    /// For a FIFO's other end, for a device.
    Waits,
    /// Nobody can say: what the path names is not in the kernel's cache, or lies on a server.
    Unknown,
}

/// What may keep a worker for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// An open that is known to wait. There is a limit of them.
    Open,
    /// Anything else.
    Other,
}

/// Why there is no worker for one open more that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerLimit {
    /// So many wait already.
    Opens(u32),
    /// The limit of a user's processes and threads (RLIMIT_NPROC).
    Processes,
    /// The limit of processes and threads of the control group (pids.max).
    ControlGroup,
}

impl std::fmt::Display for WorkerLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opens(most) => write!(
                f,
                "{most} opens of FIFOs and devices of this thread wait already: open their other ends, cancel some, or open with O_NONBLOCK"
            ),
            Self::Processes => f.write_str(
                "no thread can be had for an open that may wait: the user's limit of processes and threads is reached (RLIMIT_NPROC, ulimit -u)",
            ),
            Self::ControlGroup => f.write_str(
                "no thread can be had for an open that may wait: the control group's limit of processes and threads is reached (pids.max)",
            ),
        }
    }
}

/// A place among the workers, which is free again when it is dropped.
#[derive(Debug, Default)]
pub struct Ticket(Option<fn()>);

impl Ticket {
    /// A place that `release` gives back.
    pub fn new(release: fn()) -> Self {
        Self(Some(release))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(release) = self.0 {
            release();
        }
    }
}

/// What an operation does with its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It brings bytes out of it.
    Read,
    /// It brings bytes into it.
    Write,
    /// It waits until it is ready.
    Poll,
    /// It brings it to the disk.
    Sync,
}

/// How an operation is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As it is.
    Plain,
    /// With `IOSQE_ASYNC`; plain, if no worker takes it.
    Hinted,
    /// With `IOSQE_ASYNC`: on the ring's thread it might wait.
    Worker,
    /// The same, and only one at a time on one file.
    InTurn,
}

//! What a client can ask for, one small file each. An operation owns what its SQE points to.

mod close;
mod nop;
mod open;
mod poll;
mod read;
mod sleep;
mod sync;
mod vectored;
mod write;

pub use close::Close;
pub use nop::Nop;
pub use open::Open;
pub use poll::Poll;
pub use read::Read;
pub use sleep::Sleep;
pub use sync::Sync;
pub use vectored::{ReadVectored, Vectors, VectorsError, WriteVectored, MAX_VECTORS};
pub use write::Write;

use crate::descriptor::Descriptor;
use crate::kernel::{Access, Work};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The most bytes that Linux reads or writes at once (`MAX_RW_COUNT`).
pub const MAX_BYTES: usize = 0x7fff_f000;
/// The offset that means the file's current position.
pub const CURRENT_POSITION: u64 = u64::MAX;

/// What a read or a write transfers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    /// Where in the file, or [`CURRENT_POSITION`].
    pub(crate) offset: u64,
    /// No bytes at all.
    pub(crate) is_empty: bool,
}

/// An operation, with all that the kernel needs of it.
#[derive(Debug)]
// A tag of one byte would have the rest copied from the second byte on, in pieces that lie across what was written before:
// each waits until that has left the processor's store buffer.
#[repr(u64)]
pub enum Operation {
    /// See [`Nop`].
    Nop(Nop),
    /// See [`Read`].
    Read(Read),
    /// See [`Write`].
    Write(Write),
    /// See [`ReadVectored`]. In a box: all others are smaller, and an operation is moved from hand to hand.
    ReadVectored(Box<ReadVectored>),
    /// See [`WriteVectored`].
    WriteVectored(Box<WriteVectored>),
    /// See [`Poll`].
    Poll(Poll),
    /// See [`Sleep`].
    Sleep(Sleep),
    /// See [`Open`].
    Open(Open),
    /// See [`Close`].
    Close(Close),
    /// See [`Sync`].
    Sync(Sync),
}

impl Operation {
    /// Its name, as in `syscall` of an error.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Nop(_) => "nop",
            Self::Read(_) => "read",
            Self::Write(_) => "write",
            Self::ReadVectored(_) => "readv",
            Self::WriteVectored(_) => "writev",
            Self::Poll(_) => "poll",
            Self::Sleep(_) => "sleep",
            Self::Open(_) => "open",
            Self::Close(_) => "close",
            Self::Sync(sync) => sync.name(),
        }
    }

    /// What its SQE asks for.
    #[inline]
    pub(crate) fn work(&self) -> Work {
        match self {
            Self::Nop(nop) => nop.work(),
            Self::Read(read) => read.work(),
            Self::Write(write) => write.work(),
            Self::ReadVectored(read) => read.work(),
            Self::WriteVectored(write) => write.work(),
            Self::Poll(poll) => poll.work(),
            Self::Sleep(sleep) => sleep.work(),
            Self::Open(open) => open.work(),
            Self::Close(close) => close.work(),
            Self::Sync(sync) => sync.work(),
        }
    }

    /// The file it works on, if any. A close only names one: it holds none.
    #[inline]
    pub fn descriptor(&self) -> Option<&Descriptor> {
        match self {
            Self::Read(read) => Some(&read.descriptor),
            Self::Write(write) => Some(&write.descriptor),
            Self::ReadVectored(read) => Some(&read.descriptor),
            Self::WriteVectored(write) => Some(&write.descriptor),
            Self::Poll(poll) => Some(&poll.descriptor),
            Self::Sync(sync) => Some(&sync.descriptor),
            Self::Nop(_) | Self::Sleep(_) | Self::Open(_) | Self::Close(_) => None,
        }
    }

    pub(crate) fn descriptor_mut(&mut self) -> Option<&mut Descriptor> {
        match self {
            Self::Read(read) => Some(&mut read.descriptor),
            Self::Write(write) => Some(&mut write.descriptor),
            Self::ReadVectored(read) => Some(&mut read.descriptor),
            Self::WriteVectored(write) => Some(&mut write.descriptor),
            Self::Poll(poll) => Some(&mut poll.descriptor),
            Self::Sync(sync) => Some(&mut sync.descriptor),
            Self::Nop(_) | Self::Sleep(_) | Self::Open(_) | Self::Close(_) => None,
        }
    }

    /// What it transfers, if it transfers bytes.
    #[inline(always)]
    pub(crate) fn transfer(&self) -> Option<Transfer> {
        let (offset, is_empty) = match self {
            Self::Read(read) => (read.offset, read.memory.is_empty()),
            Self::Write(write) => (write.offset, write.memory.is_empty()),
            Self::ReadVectored(read) => (read.vectors.offset, read.vectors.is_empty()),
            Self::WriteVectored(write) => (write.vectors.offset, write.vectors.is_empty()),
            _ => return None,
        };
        Some(Transfer { offset, is_empty })
    }

    /// How many bytes it transfers at most.
    pub(crate) fn length(&self) -> usize {
        let length = match self {
            Self::Read(read) => read.memory.len(),
            Self::Write(write) => write.memory.len(),
            Self::ReadVectored(read) => read.vectors.length(),
            Self::WriteVectored(write) => write.vectors.length(),
            _ => 0,
        };
        length.min(MAX_BYTES)
    }

    /// The ring knows the position by now.
    pub(crate) fn set_offset(&mut self, offset: u64) {
        match self {
            Self::Read(read) => read.offset = offset,
            Self::Write(write) => write.offset = offset,
            Self::ReadVectored(read) => read.vectors.offset = offset,
            Self::WriteVectored(write) => write.vectors.offset = offset,
            _ => {}
        }
    }

    /// What it does with its file.
    #[inline]
    pub(crate) fn access(&self) -> Access {
        match self {
            Self::Write(_) | Self::WriteVectored(_) => Access::Write,
            Self::Poll(_) => Access::Poll,
            Self::Sync(_) => Access::Sync,
            _ => Access::Read,
        }
    }

    /// Whether a cancel may reach it. A close, once asked for, always closes.
    pub fn is_cancellable(&self) -> bool {
        !matches!(self, Self::Close(_))
    }

    /// Whether it may be submitted a second time. A close may not: whatever it said, Linux has released
    /// the number by then, and another file may have it.
    #[inline]
    pub(crate) fn is_repeatable(&self) -> bool {
        !matches!(self, Self::Close(_))
    }

    /// Whether it needs `IOSQE_ASYNC` to wait as its system call does.
    #[inline]
    pub(crate) fn needs_worker(&self) -> bool {
        matches!(self, Self::Open(open) if !open.only_names())
    }

    /// Whether it brings bytes into its file.
    #[inline]
    pub(crate) fn is_write(&self) -> bool {
        matches!(self, Self::Write(_) | Self::WriteVectored(_))
    }

    /// What the CQE's result means for this operation.
    #[inline]
    pub(crate) fn translate(&self, result: i32) -> i32 {
        match self {
            // A timeout that ran its time says so by an error.
            Self::Sleep(_) if result == -libc::ETIME => 0,
            Self::Close(close) => close.translate(result),
            Self::Poll(poll) => poll.translate(result),
            _ => result,
        }
    }

    /// The descriptor that the kernel opened for it.
    pub(crate) fn opened(&self, result: i32) -> Option<OwnedFd> {
        match self {
            // SAFETY: this result of an open is a descriptor that the kernel just made for us.
            Self::Open(_) if result >= 0 => Some(unsafe { OwnedFd::from_raw_fd(result as RawFd) }),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($name:ident),*) => {$(
        impl From<$name> for Operation {
            #[inline]
            fn from(operation: $name) -> Self {
                Self::$name(operation)
            }
        }
    )*};
}
from!(Nop, Read, Write, Poll, Sleep, Open, Close, Sync);

impl From<ReadVectored> for Operation {
    fn from(operation: ReadVectored) -> Self {
        Self::ReadVectored(Box::new(operation))
    }
}

impl From<WriteVectored> for Operation {
    fn from(operation: WriteVectored) -> Self {
        Self::WriteVectored(Box::new(operation))
    }
}

//! What SQEs say, read off the entries themselves: for kernels that are made of code, which so check how entries are put together,
//! too.

use super::{Nanoseconds, Submission, Work};
use crate::tag::Tag;
use io_uring::opcode;
use io_uring::squeue::Entry;
use std::os::fd::RawFd;

/// `struct io_uring_sqe` as the kernel has it, in so far as the library's operations use it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Sqe {
    /// Which operation.
    pub opcode: u8,
    /// `IOSQE_...`
    pub flags: u8,
    ioprio: u16,
    /// The file.
    pub fd: i32,
    /// Where in the file.
    pub off: u64,
    /// What it points to.
    pub addr: u64,
    /// How long that is; the mode of an open.
    pub len: u32,
    /// The flags of the operation: events of a poll, flags of an open or of an fsync.
    pub op_flags: u32,
    /// Its tag, if it was queued.
    pub user_data: u64,
    rest: [u64; 3],
}

const _: () =
    assert!(size_of::<Sqe>() == size_of::<Entry>() && align_of::<Sqe>() <= align_of::<Entry>());

impl From<&Entry> for Sqe {
    fn from(entry: &Entry) -> Self {
        // SAFETY: an entry is the kernel's struct, with the layout above, any bits of which make numbers.
        unsafe { std::ptr::from_ref(entry).cast::<Self>().read() }
    }
}

/// An SQE as it was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its identity.
    pub tag: Tag,
    /// What it asks for.
    pub work: Decoded,
    /// `IOSQE_ASYNC`: let a worker thread of the kernel do it.
    pub asynchronous: bool,
}

impl Queued {
    /// An operation's.
    pub fn of_operation(tag: Tag, entry: &Entry, asynchronous: bool) -> Self {
        Self { tag, work: Decoded::from(Sqe::from(entry)), asynchronous }
    }

    /// The ring's own.
    pub fn of_ring(submission: &Submission) -> Self {
        let Submission { tag, work, asynchronous } = *submission;
        Self { tag, work: Decoded::from(work), asynchronous }
    }
}

/// What an SQE asks for. Addresses are those of core memory, which the in-flight table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Nothing.
    Nop,
    /// read(2), or pread(2).
    Read {
        /// The file.
        descriptor: RawFd,
        /// Where the bytes go.
        address: usize,
        /// How many, at most.
        length: u32,
        /// Where in the file; `u64::MAX` is the current position.
        offset: u64,
    },
    /// write(2), or pwrite(2).
    Write {
        /// The file.
        descriptor: RawFd,
        /// Where the bytes are.
        address: usize,
        /// How many.
        length: u32,
        /// Where in the file; `u64::MAX` is the current position.
        offset: u64,
    },
    /// readv(2), or preadv(2).
    Readv {
        /// The file.
        descriptor: RawFd,
        /// The address of an array of `iovec`.
        vectors: usize,
        /// How many there are.
        count: u32,
        /// Where in the file; `u64::MAX` is the current position.
        offset: u64,
    },
    /// writev(2), or pwritev(2).
    Writev {
        /// The file.
        descriptor: RawFd,
        /// The address of an array of `iovec`.
        vectors: usize,
        /// How many there are.
        count: u32,
        /// Where in the file; `u64::MAX` is the current position.
        offset: u64,
    },
    /// poll(2) of one descriptor, once.
    Poll {
        /// The file.
        descriptor: RawFd,
        /// The mask of events, as poll(2) has them.
        events: u32,
    },
    /// A relative timeout.
    Sleep {
        /// The address of a `__kernel_timespec`.
        timespec: usize,
    },
    /// A pause between two attempts; [`crate::machine::pause`] says how long.
    Pause {
        /// Its number.
        number: u8,
    },
    /// openat(2).
    Open {
        /// The address of a path that ends in NUL.
        path: usize,
        /// As in open(2).
        flags: i32,
        /// As in open(2).
        mode: u32,
    },
    /// close(2).
    Close {
        /// The file.
        descriptor: RawFd,
    },
    /// fsync(2), or fdatasync(2).
    Sync {
        /// The file.
        descriptor: RawFd,
        /// Whether fdatasync.
        data_only: bool,
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

impl From<Work> for Decoded {
    fn from(work: Work) -> Self {
        match work {
            Work::Poll { descriptor, events } => Self::Poll { descriptor, events },
            Work::Pause { number } => Self::Pause { number },
            Work::Cancel { target } => Self::Cancel { target },
            Work::Timer { deadline } => Self::Timer { deadline },
            Work::TimerUpdate { timer, deadline } => Self::TimerUpdate { timer, deadline },
        }
    }
}

/// What an operation's SQE says.
///
/// # Panics
///
/// If no operation of the library has its code, or if it has flags of its own: those are the kernel's to set.
impl From<Sqe> for Decoded {
    fn from(sqe: Sqe) -> Self {
        let Sqe { opcode, flags, fd: descriptor, off: offset, addr, len, op_flags, .. } = sqe;
        assert_eq!((flags, sqe.ioprio, sqe.rest), (0, 0, [0; 3]), "{sqe:?}");
        let address = addr as usize;
        match opcode {
            opcode::Nop::CODE => Self::Nop,
            opcode::Read::CODE => Self::Read { descriptor, address, length: len, offset },
            opcode::Write::CODE => Self::Write { descriptor, address, length: len, offset },
            opcode::Readv::CODE => Self::Readv { descriptor, vectors: address, count: len, offset },
            opcode::Writev::CODE => {
                Self::Writev { descriptor, vectors: address, count: len, offset }
            }
            opcode::PollAdd::CODE => Self::Poll { descriptor, events: op_flags },
            opcode::Timeout::CODE => Self::Sleep { timespec: address },
            opcode::OpenAt::CODE => {
                assert_eq!(descriptor, libc::AT_FDCWD, "{sqe:?}");
                Self::Open { path: address, flags: op_flags as i32, mode: len }
            }
            opcode::Close::CODE => Self::Close { descriptor },
            opcode::Fsync::CODE => Self::Sync { descriptor, data_only: op_flags == 1 },
            _ => panic!("no operation has this code: {sqe:?}"),
        }
    }
}

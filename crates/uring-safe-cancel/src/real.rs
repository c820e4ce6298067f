//! The real kernel, by the io-uring crate.

mod locked;
mod path;
mod patience;
mod probe;
mod registered;
mod room;
mod setup;
mod unsupported;
mod workers;

pub use probe::{probe, Probe};
pub use setup::{Fallbacks, SetupError};
pub use unsupported::Unsupported;

use crate::descriptor::FileKind;
use crate::kernel::{
    timespec, Access, Cqe, Kernel, Nanoseconds, OpenKind, QueueFull, Submission, Ticket, Waiter,
    Way, Work, WorkerLimit,
};
use crate::machine::{pause, LONGEST_PAUSE};
use crate::tag::Tag;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, Timespec};
use io_uring::{cqueue, opcode, IoUring};
use locked::Locked;
use registered::Name;
use std::ffi::CStr;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, RawFd};
use workers::Workers;

/// A ring of this thread. The kernel accepts entries only from the thread that made it
/// (`SINGLE_ISSUER`), where it has that, so it cannot leave:
///
/// ```compile_fail
/// fn elsewhere<T: Send>() {}
/// elsewhere::<uring_safe_cancel::RealKernel>();
/// ```
#[derive(Debug)]
pub struct RealKernel {
    ring: Ring,
    name: Name,
    fallbacks: Fallbacks,
    workers: Workers,
    /// The times until a timer fires, and until it does after its change. The kernel copies them when it takes the
    /// SQE, before `enter` returns; until then they stay where they are.
    times: Box<[Timespec; 2]>,
    /// Given back behind the ring, which is closed before.
    _locked: Locked,
    /// Neither Send nor Sync.
    thread: PhantomData<*mut ()>,
}

struct Ring(IoUring);

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "io_uring on descriptor {}", self.0.as_raw_fd())
    }
}

impl RealKernel {
    /// Sets a ring up, with `entries` SQEs (as many as there are CQEs, at most) and `completions` CQEs
    /// (at least eight), both rounded up to powers of two.
    pub fn new(entries: u32, completions: u32) -> Result<Self, SetupError> {
        let (ring, fallbacks) = setup::set_up(entries, completions)?;
        room::prepare(&ring);
        let zero = Timespec::new();
        Ok(Self {
            name: Name::register(&ring),
            _locked: Locked::take(ring.params().sq_entries(), ring.params().cq_entries()),
            ring: Ring(ring),
            fallbacks,
            workers: Workers::here(),
            times: Box::new([zero, zero]),
            thread: PhantomData,
        })
    }

    /// The ring's descriptor: readable while there are completions.
    pub fn descriptor(&self) -> RawFd {
        self.ring.0.as_raw_fd()
    }

    /// How many CQEs the queue has.
    pub fn completions(&self) -> u32 {
        self.ring.0.params().cq_entries()
    }

    /// How many SQEs the queue has.
    pub fn entries(&self) -> u32 {
        self.ring.0.params().sq_entries()
    }

    /// What this kernel lacks.
    pub fn fallbacks(&self) -> Fallbacks {
        self.fallbacks
    }

    /// Puts an SQE into the queue.
    ///
    /// # Safety
    ///
    /// As for [`Kernel::queue`].
    #[inline(always)]
    unsafe fn push(&mut self, tag: Tag, entry: Entry, asynchronous: bool) -> Result<(), QueueFull> {
        let mut entry = entry.user_data(tag.user_data());
        if asynchronous {
            entry = entry.flags(Flags::ASYNC);
        }
        // SAFETY: the caller promises that the addresses stay valid until the final CQE; those of the
        // timer lie in a box of ours, and are copied when the entry is taken.
        unsafe { self.ring.0.submission().push(&entry) }.map_err(|_| QueueFull)
    }

    fn entry(&mut self, work: &Work) -> Entry {
        match *work {
            Work::Poll { descriptor, events } => {
                opcode::PollAdd::new(Fd(descriptor), events).build()
            }
            Work::Pause { number } => {
                opcode::Timeout::new(&PAUSES[usize::from(number.min(LONGEST_PAUSE))]).build()
            }
            Work::Cancel { target } => cancel(target),
            Work::Timer { deadline } => {
                self.times[0] = self.until(deadline);
                opcode::Timeout::new(&self.times[0]).build()
            }
            Work::TimerUpdate { timer, deadline } => {
                self.times[1] = self.until(deadline);
                opcode::TimeoutUpdate::new(timer.user_data(), &self.times[1]).build()
            }
        }
    }

    /// The time that is left. An absolute time would be the kernel's own: in a time namespace (`unshare -T`, runc's
    /// `timeOffsets`, a process that CRIU restored) the process's monotonic clock is another.
    fn until(&self, deadline: Nanoseconds) -> Timespec {
        timespec(deadline.saturating_sub(self.now()))
    }
}

#[inline(always)]
fn cancel(target: Tag) -> Entry {
    opcode::AsyncCancel::new(target.user_data()).build()
}

impl Drop for RealKernel {
    fn drop(&mut self) {
        self.name.unregister(&self.ring.0);
    }
}

/// The kernel's form of each pause, where it finds them whenever it takes an SQE.
static PAUSES: [Timespec; LONGEST_PAUSE as usize + 1] = {
    let mut pauses = [Timespec::new(); LONGEST_PAUSE as usize + 1];
    let mut number = 0;
    while number <= LONGEST_PAUSE {
        pauses[number as usize] = Timespec::new().nsec(pause(number).as_nanos() as u32);
        number += 1;
    }
    pauses
};

impl Kernel for RealKernel {
    #[inline(always)]
    unsafe fn queue(&mut self, submission: &Submission) -> Result<(), QueueFull> {
        let Submission { tag, ref work, asynchronous } = *submission;
        // The usual one by itself: an entry that several branches make is put together in memory, and copied from there
        // before it has arrived.
        // SAFETY: the caller promises what `push` asks for.
        unsafe {
            match work {
                Work::Cancel { target } => self.push(tag, cancel(*target), asynchronous),
                other => {
                    let entry = self.entry(other);
                    self.push(tag, entry, asynchronous)
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn queue_entry(
        &mut self,
        tag: Tag,
        entry: Entry,
        asynchronous: bool,
    ) -> Result<(), QueueFull> {
        // SAFETY: the caller promises what `push` asks for.
        unsafe { self.push(tag, entry, asynchronous) }
    }

    #[inline]
    fn queued(&self) -> u32 {
        // SAFETY: the kernel is not Sync, so this thread alone has it, and the view lives within this
        // expression.
        unsafe { self.ring.0.submission_shared() }.len() as u32
    }

    #[inline]
    fn has_backlog(&self) -> bool {
        // SAFETY: as in `queued`.
        let queue = unsafe { self.ring.0.submission_shared() };
        queue.cq_overflow() || queue.taskrun()
    }

    #[inline]
    fn enter(&mut self, wanted: u32) -> io::Result<()> {
        self.name.enter(&mut self.ring.0, wanted)
    }

    #[inline(always)]
    fn reap(&mut self) -> Option<Cqe> {
        let entry = self.ring.0.completion().next()?;
        Some(Cqe {
            user_data: entry.user_data(),
            result: entry.result(),
            more: cqueue::more(entry.flags()),
            notification: cqueue::notif(entry.flags()),
        })
    }

    fn now(&self) -> Nanoseconds {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a timespec of this frame. The monotonic clock always exists.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }

    #[inline]
    fn is_pipe(&self, number: RawFd) -> bool {
        // SAFETY: the call takes two integers. Of anything but a pipe or a FIFO it fails.
        unsafe { libc::fcntl(number, libc::F_GETPIPE_SZ) >= 0 }
    }

    fn way(&self, number: RawFd, kind: FileKind, access: Access, is_wanted: bool) -> Way {
        self.workers.way(number, kind, access, is_wanted)
    }

    fn open_kind(&self, path: &CStr, flags: i32) -> OpenKind {
        path::kind_of(path, flags)
    }

    fn admit(&self, waiter: Waiter) -> Result<Ticket, WorkerLimit> {
        room::admit(&self.ring.0, waiter)
    }

    fn most_unknown(&self) -> u32 {
        room::most_unknown(&self.ring.0)
    }
}

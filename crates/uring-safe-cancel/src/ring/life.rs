//! How a ring ends: by finishing, by cancelling, and at worst by giving up.

use super::{Completion, Held, Kernel, Ring, StuckReport};
use super::placement::waits_at_close;
use crate::descriptor::{closer, FileKind};
use crate::kernel::Nanoseconds;
use crate::machine::{Event, Verdict};
use crate::operation::Operation;
use crate::tag::Key;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

/// Where a ring is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It takes operations.
    Open,
    /// It takes no more, and finishes what it has.
    Closing,
    /// It takes no more, has cancelled what it had, and gives up at the deadline.
    Draining { deadline: Nanoseconds },
    /// The deadline has passed.
    GivenUp,
}

/// How long dropping a ring waits for the kernel. Cancels that work end within 0.02 ms, and a lost one
/// after a re-issue or two.
const DROP_DRAIN: Duration = Duration::from_millis(50);
/// Dropping a ring ends even if its kernel's clock stands still.
const MAX_DROP_FLUSHES: u32 = 256;

impl<K: Kernel, C> Ring<K, C> {
    /// Takes no more operations; those it has go on, however long. [`Ring::is_drained`] tells when
    /// they have settled.
    pub fn close(&mut self) {
        if self.life == Life::Open {
            self.life = Life::Closing;
        }
    }

    /// Takes no more operations, cancels those it has, and gives up what the kernel has not let go
    /// after `drain`: that completes as [`Verdict::Stuck`], and is leaked. Flush until
    /// [`Ring::is_drained`].
    pub fn destroy(&mut self, drain: Duration) {
        if matches!(self.life, Life::Draining { .. } | Life::GivenUp) {
            return;
        }
        let drain = u64::try_from(drain.as_nanos()).unwrap_or(u64::MAX);
        // One below the top, which the deadlines use for never.
        let deadline = self.kernel.now().saturating_add(drain).min(u64::MAX - 1);
        self.life = Life::Draining { deadline };
        self.cancel_all();
    }

    /// Whether the ring takes no more operations and has given back all it had.
    pub fn is_drained(&self) -> bool {
        self.life != Life::Open && self.pending() == 0
    }

    /// Whether it was given up on: the kernel still holds some of its memory.
    pub fn is_given_up(&self) -> bool {
        self.life == Life::GivenUp
    }

    /// When to give up, if there is something to give up.
    pub(super) fn drain_deadline(&self) -> Option<Nanoseconds> {
        match self.life {
            Life::Draining { deadline } if self.pending() > 0 => Some(deadline),
            _ => None,
        }
    }

    /// Gives up if the time to drain is over.
    pub(super) fn check_drain(&mut self, now: Nanoseconds) {
        if self.drain_deadline().is_some_and(|deadline| now >= deadline) {
            self.abandon();
        }
    }

    /// Closes a descriptor without the kernel's queue, which is full, perhaps of reads that never end.
    pub(super) fn close_at_once(&mut self, operation: Operation, client: C) -> Key {
        // What was called before must find the file open.
        self.fill();
        self.enter(0);
        if let Operation::Close(close) = &operation {
            self.looks.closed(close.number());
        }
        self.stats.submitted += 1;
        let key = self.table.insert_beyond_limit(Held::new(client, operation));
        if let Some(settled) = self.table.apply(key, Event::Abandoned).settled {
            let mut completion = self.finish(settled, true);
            close_after_all(&mut completion);
            self.ready.push_back(completion);
        }
        key
    }

    /// Gives everything up at once. What never reached the kernel is cancelled; the rest is leaked.
    pub fn abandon(&mut self) {
        // This settles whatever waits, but for closes.
        self.cancel_all();
        self.life = Life::GivenUp;
        let keys: Vec<Key> = self.table.unsettled_keys().collect();
        for key in keys {
            let Some(settled) = self.table.apply(key, Event::Abandoned).settled else { continue };
            // Nobody's turn comes: the ring is over.
            let mut completion = self.finish(settled, true);
            close_after_all(&mut completion);
            self.ready.push_back(completion);
        }
    }

    pub(super) fn push_report(&mut self, key: Key) {
        let after = self.table.policy().stuck_after;
        let (Some(held), Some(machine)) = (self.table.payload(key), self.table.machine(key)) else {
            return;
        };
        self.reports.push(StuckReport {
            key,
            operation: held.operation.name(),
            descriptor: held.number,
            attempts: machine.attempts(),
            last_answer: machine.last_answer(),
            after,
        });
    }
}

/// Does what a close that never reached the kernel was asked for.
fn close_after_all<C>(completion: &mut Completion<C>) {
    let (Verdict::Cancelled, Some(Operation::Close(close))) =
        (completion.verdict, &completion.operation)
    else {
        return;
    };
    let number = close.number();
    completion.verdict = if close.is_begun() {
        // A thread closes it. Nobody will say when.
        Verdict::Stuck
    } else if waits_at_close(FileKind::of(number), number) {
        // SAFETY: the client gave the number away with the operation, and the kernel never saw it.
        closer::close(unsafe { OwnedFd::from_raw_fd(number) });
        Verdict::Completed(0)
    } else {
        // SAFETY: as above.
        let closed = unsafe { libc::close(number) } == 0;
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        if closed || errno == libc::EINTR {
            Verdict::Completed(0)
        } else {
            Verdict::Failed(errno)
        }
    };
}

/// Dropping a ring cancels what it has and waits, 50 ms at most. What the kernel holds then is leaked,
/// never freed. [`Ring::destroy`] first, to have more time, and to learn of it.
impl<K: Kernel, C> Drop for Ring<K, C> {
    fn drop(&mut self) {
        if self.pending() == 0 {
            return;
        }
        self.destroy(DROP_DRAIN);
        for _ in 0..MAX_DROP_FLUSHES {
            if self.flush_and_wait(&mut drop).again {
                std::thread::sleep(Duration::from_millis(1));
            }
            if self.pending() == 0 {
                return;
            }
        }
        self.abandon();
    }
}

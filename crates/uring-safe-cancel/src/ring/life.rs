//! How a ring ends: by finishing, by cancelling, and at worst by giving up.

use super::{Completion, Held, Kernel, Ring, StuckReport};
use crate::kernel::Nanoseconds;
use crate::machine::{Event, Verdict};
use crate::operation::{Close, Operation};
use crate::tag::Key;
use std::time::Duration;

/// Where a ring is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It takes operations.
    Open,
    /// It takes no more, and finishes what it has.
    Closing,
    /// It takes no more, and has yet to tell the kernel that what it had is cancelled.
    Destroyed { drain: Nanoseconds },
    /// It has told the kernel, and gives up at the deadline.
    Draining { deadline: Nanoseconds },
    /// The deadline has passed.
    GivenUp,
    /// The kernel takes nothing any more.
    Forbidden { errno: i32 },
}

/// How long dropping a ring waits for the kernel. Cancels that work end within 0.02 ms, and a lost one
/// after a re-issue or two.
const DROP_DRAIN: Duration = Duration::from_millis(50);
/// Dropping a ring ends even if its kernel's clock stands still: after so many flushes that brought nothing.
const MAX_IDLE_DROP_FLUSHES: u32 = 256;

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
    ///
    /// The time counts from the end of the next flush, which hands the cancels over: before that the kernel
    /// knows of none. What it has posted by the time of giving up is delivered, however late that is.
    pub fn destroy(&mut self, drain: Duration) {
        if !matches!(self.life, Life::Open | Life::Closing) {
            return;
        }
        let drain = u64::try_from(drain.as_nanos()).unwrap_or(u64::MAX);
        self.life = Life::Destroyed { drain };
        self.cancel_all();
    }

    /// Whether the ring takes no more operations and has given back all it had.
    pub fn is_drained(&self) -> bool {
        self.life != Life::Open && self.pending() == 0
    }

    /// Whether it was given up on: the kernel still holds some of its memory.
    pub fn is_given_up(&self) -> bool {
        matches!(self.life, Life::GivenUp | Life::Forbidden { .. })
    }

    /// Whether everything has been cancelled, and nothing new can start.
    pub(super) fn is_destroyed(&self) -> bool {
        matches!(self.life, Life::Destroyed { .. } | Life::Draining { .. })
    }

    /// The kernel knows now that everything is cancelled: its time to let go begins.
    pub(super) fn begin_drain(&mut self) {
        if let Life::Destroyed { drain } = self.life {
            // One below the top, which the deadlines use for never.
            let deadline = self.kernel.now().saturating_add(drain).min(u64::MAX - 1);
            self.life = Life::Draining { deadline };
        }
    }

    /// When to give up, if there is something to give up.
    pub(super) fn drain_deadline(&self) -> Option<Nanoseconds> {
        match self.life {
            Life::Draining { deadline } if self.table.unsettled() > 0 => Some(deadline),
            _ => None,
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

    /// Gives everything up at once. What the kernel has posted is delivered, what never reached it is cancelled;
    /// the rest is leaked. (What a kernel that takes nothing holds back, it has not posted: see
    /// [`Kernel::has_backlog`].)
    pub fn abandon(&mut self) {
        self.gather();
        if self.forbidden.is_none() {
            self.give_up();
        } else {
            self.end_forbidden();
        }
    }

    /// What was posted has been reaped.
    pub(super) fn give_up(&mut self) {
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
pub(super) fn close_after_all<C>(completion: &mut Completion<C>) {
    let (Verdict::Cancelled, Some(Operation::Close(close))) =
        (completion.verdict, &completion.operation)
    else {
        return;
    };
    completion.verdict = if close.is_begun() {
        // A thread closes it. Nobody will say when.
        Verdict::Stuck
    } else {
        match Close::new(close.number()).at_once() {
            Ok(()) => Verdict::Completed(0),
            Err(errno) => Verdict::Failed(errno),
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
        let mut idle = 0;
        while idle < MAX_IDLE_DROP_FLUSHES {
            let flushed = self.flush_and_wait(&mut drop);
            if self.pending() == 0 {
                return;
            }
            if flushed.again {
                std::thread::sleep(Duration::from_millis(1));
            }
            idle += u32::from(flushed.delivered == 0);
        }
        self.abandon();
    }
}

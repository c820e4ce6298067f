//! What a ring's handles, its driver and its operations share. All of them live on one thread.

use super::cancel_handle::Mailbox;
use super::entry::{Delivery, Entry, Settled};
use super::error::Error;
use crate::machine::Verdict;
use crate::memory::Arena;
use crate::operation::Operation;
use crate::real::RealKernel;
use crate::ring::{self, Completion, Extra, Flushed, StuckReport};
use crate::tag::Key;
use ::tokio::sync::Notify;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// A core ring that knows its operations by their entries.
pub(super) type Core = ring::Ring<RealKernel, Rc<Entry>>;

/// Reports of stuck operations that nobody has taken; beyond that the oldest go.
const MAX_REPORTS: usize = 1024;

pub(super) struct Shared {
    /// Borrowed only while no code of anybody else's (wakers, drops of users' values) can run.
    core: RefCell<Core>,
    pub(super) arena: Arena,
    pub(super) mailbox: Arc<Mailbox>,
    driver: RefCell<Option<Waker>>,
    /// Whether the driver is going to run anyway.
    is_driver_woken: Cell<bool>,
    /// Futures of operations that have not settled.
    live: Cell<usize>,
    /// No handle is left: nothing can be submitted any more.
    is_orphaned: Cell<bool>,
    is_over: Cell<bool>,
    stuck: Cell<u64>,
    reports: RefCell<VecDeque<StuckReport>>,
    /// Says that the ring is over, or that there are reports.
    pub(super) news: Notify,
    /// Kept for its capacity.
    wakers: RefCell<Vec<Waker>>,
}

/// What one flush delivered.
struct Batch {
    wakers: Vec<Waker>,
    discarded: u64,
    stuck: u64,
}

impl Batch {
    fn take(&mut self, completion: Completion<Rc<Entry>>) {
        let Completion { client, verdict, timed_out, opened, .. } = completion;
        self.stuck += u64::from(verdict == Verdict::Stuck);
        match client.deliver(Settled { verdict, timed_out, opened }) {
            Delivery::Wake(waker) => self.wakers.extend(waker),
            Delivery::Discarded => self.discarded += 1,
            Delivery::Forgotten => {}
        }
    }
}

impl Shared {
    pub(super) fn new(core: Core) -> Self {
        Self {
            arena: core.arena().clone(),
            core: RefCell::new(core),
            mailbox: Arc::default(),
            driver: RefCell::new(None),
            is_driver_woken: Cell::new(false),
            live: Cell::new(0),
            is_orphaned: Cell::new(false),
            is_over: Cell::new(false),
            stuck: Cell::new(0),
            reports: RefCell::default(),
            news: Notify::new(),
            wakers: RefCell::default(),
        }
    }

    /// Gives an operation to the core. The kernel sees it when the driver runs.
    pub(super) fn submit(
        &self,
        operation: Operation,
        extra: Extra,
    ) -> Result<(Key, Rc<Entry>), Result<i32, Error>> {
        let entry = Rc::new(Entry::new());
        let submitted = self.core.borrow_mut().submit(operation, extra, Rc::clone(&entry));
        match submitted {
            Ok(key) => {
                self.live.set(self.live.get() + 1);
                if self.is_over.get() {
                    // A close, which a ring never refuses. No driver runs any more.
                    self.flush(usize::MAX);
                }
                self.wake_driver();
                Ok((key, entry))
            }
            Err(refused) => Err(Err(refused.refusal.into())),
        }
    }

    /// Asks for an operation's cancellation.
    pub(super) fn cancel(&self, key: Key) {
        // The core is borrowed only if it panicked: then its state is worth nothing any more.
        if let Ok(mut core) = self.core.try_borrow_mut() {
            core.cancel(key);
            drop(core);
            self.wake_driver();
        }
    }

    /// An operation's future is gone, or has its result.
    pub(super) fn retire(&self, discarded: bool) {
        self.live.set(self.live.get() - 1);
        if let (true, Ok(mut core)) = (discarded, self.core.try_borrow_mut()) {
            core.count_discarded();
        }
        if self.is_orphaned.get() {
            self.wake_driver();
        }
    }

    pub(super) fn with_core<T>(&self, use_it: impl FnOnce(&mut Core) -> T) -> T {
        let value = use_it(&mut self.core.borrow_mut());
        self.wake_driver();
        value
    }

    pub(super) fn stats(&self) -> ring::Stats {
        self.core.borrow().stats()
    }

    pub(super) fn descriptor(&self) -> std::os::fd::RawFd {
        self.core.borrow().kernel().descriptor()
    }

    /// The last handle is gone.
    pub(super) fn orphan(&self) {
        self.is_orphaned.set(true);
        self.wake_driver();
    }

    pub(super) fn wake_driver(&self) {
        if !self.is_driver_woken.replace(true) {
            // A clone, because the waker may run code that comes back here.
            let driver = self.driver.borrow().clone();
            if let Some(driver) = driver {
                driver.wake();
            }
        }
    }

    /// The driver runs, and is to be woken by `waker` from now on.
    pub(super) fn driver_runs(&self, waker: &Waker) {
        self.is_driver_woken.set(false);
        let known = self.driver.take();
        let waker = known.as_ref().filter(|known| known.will_wake(waker)).unwrap_or(waker).clone();
        self.driver.replace(Some(waker));
        // Dropped last: it may run anybody's code.
        drop(known);
    }

    /// Does what other threads asked for.
    pub(super) fn collect_mail(&self, waker: &Waker) {
        let keys = self.mailbox.collect(waker);
        let mut core = self.core.borrow_mut();
        for key in keys {
            core.cancel(key);
        }
    }

    /// Nobody can submit or cancel any more once the handles and the futures are gone: what is left
    /// has been cancelled, and gets the time to drain.
    pub(super) fn check_orphaned(&self, drain: Duration) {
        if !self.is_orphaned.get() {
            return;
        }
        let mut core = self.core.borrow_mut();
        if self.live.get() == 0 {
            core.destroy(drain);
        } else {
            core.close();
        }
    }

    /// Hands everything queued to the kernel and gives at most `limit` results to their futures.
    pub(super) fn flush(&self, limit: usize) -> Flushed {
        let mut batch = self.begin();
        let flushed = self.core.borrow_mut().flush(limit, &mut |done| batch.take(done));
        self.finish(batch);
        flushed
    }

    /// The same, but waits for the kernel. Only for when no runtime can do that.
    fn flush_and_wait(&self) -> Flushed {
        let mut batch = self.begin();
        let flushed = self.core.borrow_mut().flush_and_wait(&mut |done| batch.take(done));
        self.finish(batch);
        flushed
    }

    fn begin(&self) -> Batch {
        Batch { wakers: self.wakers.take(), discarded: 0, stuck: 0 }
    }

    fn finish(&self, mut batch: Batch) {
        let reports = {
            let mut core = self.core.borrow_mut();
            (0..batch.discarded).for_each(|_| core.count_discarded());
            core.take_stuck_reports()
        };
        self.stuck.set(self.stuck.get() + batch.stuck);
        if !reports.is_empty() {
            self.keep(reports);
        }
        batch.wakers.drain(..).for_each(Waker::wake);
        self.wakers.replace(batch.wakers);
    }

    fn keep(&self, reports: Vec<StuckReport>) {
        let mut kept = self.reports.borrow_mut();
        kept.extend(reports);
        let too_many = kept.len().saturating_sub(MAX_REPORTS);
        kept.drain(..too_many);
        drop(kept);
        self.news.notify_waiters();
    }

    /// Whether the ring takes no more operations, and all are settled.
    pub(super) fn is_drained(&self) -> bool {
        self.core.borrow().is_drained()
    }

    pub(super) fn take_reports(&self) -> Vec<StuckReport> {
        self.reports.take().into()
    }

    /// How many operations the kernel did not let go.
    pub(super) fn stuck(&self) -> u64 {
        self.stuck.get()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// The driver is done: with everything settled, or (its runtime ends) by waiting for that here.
    pub(super) fn end(&self, drain: Duration) {
        if self.is_over.replace(true) {
            return;
        }
        // As in `cancel`.
        if let Ok(mut core) = self.core.try_borrow_mut() {
            core.destroy(drain);
            drop(core);
            while !self.is_drained() {
                // The ring's own timer ends the wait when the time to drain is over.
                if self.flush_and_wait().again {
                    std::thread::sleep(PAUSE);
                }
            }
        }
        self.mailbox.close();
        self.news.notify_waiters();
    }
}

/// How long to leave the kernel alone that takes no SQEs for want of memory or room.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shape = f.debug_struct("Ring");
        if let Ok(core) = self.core.try_borrow() {
            shape.field("descriptor", &core.kernel().descriptor()).field("stats", &core.stats());
        }
        shape.field("over", &self.is_over.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Sleep;
    use crate::ring::Options;

    #[test]
    fn a_ring_that_nobody_holds_or_awaits_ends_also_what_would_go_on() {
        let kernel = RealKernel::new(8, 16).expect("io_uring");
        let completions = kernel.completions();
        let shared = Shared::new(Core::new(kernel, completions, Options::default()));
        let hour = Sleep::new(&shared.arena, Duration::from_secs(3600)).unwrap();
        shared.submit(hour.into(), Extra::default()).map_err(drop).unwrap();
        let is_drained_soon = || {
            (0..50).any(|_| {
                shared.check_orphaned(Duration::from_secs(1));
                shared.flush(usize::MAX);
                std::thread::sleep(PAUSE);
                shared.is_drained()
            })
        };
        assert!(!is_drained_soon(), "there are handles");
        shared.orphan();
        assert!(!is_drained_soon(), "there is a future");
        shared.retire(false);
        assert!(is_drained_soon());
    }
}

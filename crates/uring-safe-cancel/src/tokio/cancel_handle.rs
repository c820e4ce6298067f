//! Cancels from other threads: a mailbox that wakes the ring's driver.

use crate::tag::Key;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// What other threads may touch of a ring.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<Contents>);

#[derive(Debug, Default)]
struct Contents {
    /// At most one entry for each operation, see [`Ticket::posted`].
    keys: Vec<Key>,
    driver: Option<Waker>,
    closed: bool,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        // Nothing that runs under the lock leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, key: Key) {
        let driver = {
            let mut contents = self.lock();
            if contents.closed {
                return;
            }
            contents.keys.push(key);
            contents.driver.take()
        };
        // Outside of the lock: a waker may run anybody's code.
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Takes what was posted. The next post wakes `driver`: both under one lock, so that none falls
    /// between.
    pub(super) fn collect(&self, driver: &Waker) -> Vec<Key> {
        let driver = driver.clone();
        let mut contents = self.lock();
        let known = contents.driver.replace(driver);
        let keys = std::mem::take(&mut contents.keys);
        drop(contents);
        // As in `post`: outside of the lock.
        drop(known);
        keys
    }

    /// The ring is over: nothing is kept any more.
    pub(super) fn close(&self) {
        let over = Contents { closed: true, ..Contents::default() };
        let left = std::mem::replace(&mut *self.lock(), over);
        // As in `post`.
        drop(left);
    }
}

/// An operation as its cancel handles know it.
#[derive(Debug)]
pub(super) struct Ticket {
    key: Key,
    /// Whether the wish is on its way: more than one entry for an operation would say no more.
    posted: AtomicBool,
}

impl Ticket {
    pub(super) fn new(key: Key) -> Self {
        Self { key, posted: AtomicBool::new(false) }
    }
}

/// Cancels one operation, from any thread. Made by
/// [`Operation::cancel_handle`](super::Operation::cancel_handle).
///
/// It holds neither the ring nor the operation: after either is gone, cancelling does nothing.
///
/// ```
/// # use uring_safe_cancel::{tokio::{Error, Ring}, Options};
/// # use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
/// #     .block_on(async {
/// # let ring = Ring::new(Options::default())?;
/// let sleep = ring.sleep(Duration::from_secs(3600));
/// let handle = sleep.cancel_handle();
/// std::thread::spawn(move || handle.cancel());
/// assert!(matches!(sleep.await, Err(Error::Cancelled)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CancelHandle {
    /// `None` if the ring never took the operation.
    target: Option<(Arc<Mailbox>, Arc<Ticket>)>,
}

impl CancelHandle {
    pub(super) fn new(target: Option<(Arc<Mailbox>, Arc<Ticket>)>) -> Self {
        Self { target }
    }

    /// Asks for the operation's cancellation and returns at once. What becomes of it, the
    /// [`Operation`](super::Operation) tells. Idempotent.
    pub fn cancel(&self) {
        let Some((mailbox, ticket)) = &self.target else { return };
        if !ticket.posted.swap(true, Ordering::Relaxed) {
            mailbox.post(ticket.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn handle(mailbox: &Arc<Mailbox>, slot: u32) -> CancelHandle {
        let ticket = Ticket::new(Key { slot, generation: 1 });
        CancelHandle::new(Some((Arc::clone(mailbox), Arc::new(ticket))))
    }

    #[test]
    fn clause_7_bounded_an_operation_has_at_most_one_entry() {
        let (mailbox, count) = (Arc::<Mailbox>::default(), Arc::<Count>::default());
        let waker = Waker::from(Arc::clone(&count));
        assert!(mailbox.collect(&waker).is_empty());
        let (one, other) = (handle(&mailbox, 1), handle(&mailbox, 2));
        for _ in 0..1000 {
            one.cancel();
            one.clone().cancel();
            other.cancel();
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "woken once for all of them");
        let slots: Vec<_> = mailbox.collect(&waker).iter().map(|key| key.slot()).collect();
        assert_eq!(slots, [1, 2]);
        one.cancel();
        assert!(mailbox.collect(&waker).is_empty());
    }

    #[test]
    fn clause_7_bounded_a_ring_that_is_over_keeps_nothing() {
        let (mailbox, count) = (Arc::<Mailbox>::default(), Arc::<Count>::default());
        let waker = Waker::from(Arc::clone(&count));
        mailbox.collect(&waker);
        handle(&mailbox, 1).cancel();
        mailbox.close();
        handle(&mailbox, 2).cancel();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(mailbox.collect(&waker).is_empty());
    }
}

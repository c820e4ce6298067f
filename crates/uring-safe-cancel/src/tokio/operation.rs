//! The future of an operation.

use super::cancel_handle::{CancelHandle, Ticket};
use super::entry::Entry;
use super::error::{Error, Result};
use super::outcome::Outcome;
use super::shared::Shared;
use crate::ring::Extra;
use crate::tag::Key;
use std::cell::OnceCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// An operation under way. Await it for its result.
///
/// It was submitted when it was made. Dropping it cancels it; see the [module](super) for what that
/// means, and [`Operation::cancel`] for the way that loses nothing.
///
/// # Panics
///
/// If it is polled after it yielded its result.
#[must_use = "dropping an operation cancels it"]
pub struct Operation<T: Outcome> {
    shared: Rc<Shared>,
    state: State,
    /// `None` once the result was yielded.
    kept: Option<T::Kept>,
    ticket: OnceCell<Arc<Ticket>>,
}

enum State {
    Submitted(Key, Rc<Entry>),
    /// The ring did not take it; this is all that comes.
    Refused(Option<Result<i32>>),
}

impl<T: Outcome> Operation<T> {
    pub(super) fn submit(
        shared: &Rc<Shared>,
        operation: Result<impl Into<crate::operation::Operation>>,
        extra: Extra,
        kept: T::Kept,
    ) -> Self {
        let submitted = match operation {
            Ok(operation) => shared.submit(operation.into(), extra),
            Err(error) => Err(Err(error)),
        };
        let state = match submitted {
            Ok((key, entry)) => State::Submitted(key, entry),
            Err(result) => State::Refused(Some(result)),
        };
        Self { shared: Rc::clone(shared), state, kept: Some(kept), ticket: OnceCell::new() }
    }

    /// Asks for its cancellation, and is then to be awaited for what really happened: usually
    /// [`Error::Cancelled`], but a result that beat the cancel is delivered (bytes and all), and so is
    /// an error. Nothing is lost.
    ///
    /// However stubborn the kernel is, the cancel is issued again until the final CQE comes (unless
    /// [`CancelPolicy::reissue`](crate::CancelPolicy::reissue) forbids it).
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{Error, Ring}, Options};
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// let sleep = ring.sleep(Duration::from_secs(3600));
    /// assert!(matches!(sleep.cancel().await, Err(Error::Cancelled)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(self) -> Self {
        self.request_cancel();
        self
    }

    /// The same for one that is only borrowed. Idempotent, except in a ring whose policy says
    /// `reissue: false`: there each call issues one cancel more.
    pub fn request_cancel(&self) {
        if let State::Submitted(key, entry) = &self.state {
            if self.kept.is_some() && !entry.is_settled() {
                self.shared.cancel(*key);
            }
        }
    }

    /// Something to cancel it with from any thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle::new(match &self.state {
            State::Submitted(key, _) => {
                let ticket = self.ticket.get_or_init(|| Arc::new(Ticket::new(*key)));
                Some((Arc::clone(&self.shared.mailbox), Arc::clone(ticket)))
            }
            State::Refused(_) => None,
        })
    }

    /// What names it in [`StuckReport::key`](crate::StuckReport::key); `None` if the ring did not take
    /// it.
    pub fn key(&self) -> Option<Key> {
        match &self.state {
            State::Submitted(key, _) => Some(*key),
            State::Refused(_) => None,
        }
    }
}

impl<T: Outcome> Future for Operation<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        match &mut this.state {
            State::Refused(result) => {
                let (Some(result), Some(kept)) = (result.take(), this.kept.take()) else {
                    panic!("an operation was polled after it was over");
                };
                Poll::Ready(T::new(result, None, kept))
            }
            State::Submitted(_, entry) => {
                let Poll::Ready(settled) = entry.poll(context) else { return Poll::Pending };
                let Some(kept) = this.kept.take() else {
                    // Its entry would have said so.
                    panic!("an operation was polled after it was over");
                };
                this.shared.retire(false);
                Poll::Ready(settled.into_outcome(kept))
            }
        }
    }
}

impl<T: Outcome> Drop for Operation<T> {
    fn drop(&mut self) {
        if let (State::Submitted(key, entry), Some(_)) = (&self.state, &self.kept) {
            if !entry.is_settled() {
                self.shared.cancel(*key);
            }
            self.shared.retire(entry.abandon());
        }
    }
}

impl<T: Outcome> std::fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            _ if self.kept.is_none() => "over",
            State::Submitted(_, entry) if entry.is_settled() => "settled",
            State::Submitted(..) => "submitted",
            State::Refused(Some(Err(Error::Closed))) => "refused: closed",
            State::Refused(_) => "refused",
        };
        f.debug_struct("Operation").field("key", &self.key()).field("state", &state).finish()
    }
}

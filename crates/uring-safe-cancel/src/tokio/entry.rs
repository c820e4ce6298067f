//! Where the driver leaves a result, and the future finds it.

use crate::machine::Verdict;
use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, Waker};

/// What came of an operation.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) verdict: Verdict,
    pub(super) timed_out: bool,
    /// Closed if nobody takes it.
    pub(super) opened: Option<OwnedFd>,
}

impl Settled {
    /// Whether something is lost if nobody sees it: a cancelled operation transferred nothing.
    fn has_result(&self) -> bool {
        matches!(self.verdict, Verdict::Completed(_) | Verdict::Failed(_))
    }
}

#[derive(Debug)]
enum State {
    Pending(Option<Waker>),
    Settled(Settled),
    /// The future is gone, or has taken the result.
    Over,
}

/// Shared by an operation's future and the ring's core, which knows the operation by it.
#[derive(Debug)]
pub(super) struct Entry(RefCell<State>);

/// What the driver has to do after it left a result.
pub(super) enum Delivery {
    Wake(Option<Waker>),
    /// The future was dropped, and this result with it.
    Discarded,
    /// The future was dropped, and nothing is lost.
    Forgotten,
}

impl Entry {
    pub(super) fn new() -> Self {
        Self(RefCell::new(State::Pending(None)))
    }

    pub(super) fn deliver(&self, settled: Settled) -> Delivery {
        let mut state = self.0.borrow_mut();
        match &mut *state {
            State::Pending(waker) => {
                let waker = waker.take();
                *state = State::Settled(settled);
                Delivery::Wake(waker)
            }
            State::Settled(_) | State::Over if settled.has_result() => Delivery::Discarded,
            State::Settled(_) | State::Over => Delivery::Forgotten,
        }
    }

    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Settled> {
        let mut state = self.0.borrow_mut();
        if let State::Pending(waker) = &mut *state {
            match waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Over) {
            State::Settled(settled) => Poll::Ready(settled),
            State::Pending(_) | State::Over => panic!("an operation was polled after it was over"),
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        matches!(&*self.0.borrow(), State::Settled(_))
    }

    /// The future is dropped. Returns whether that discards a result.
    pub(super) fn abandon(&self) -> bool {
        // What it was is dropped after the borrow: a waker's drop may run anybody's code.
        let state = std::mem::replace(&mut *self.0.borrow_mut(), State::Over);
        matches!(&state, State::Settled(settled) if settled.has_result())
    }
}

//! The ring's one timer: which SQE keeps it, and whether that is early enough.

use crate::kernel::{Nanoseconds, Work};
use crate::tag::{Key, Kind, Tag, GENERATION_MASK};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// It fires by then, at the latest once the change that is due has been answered.
    Armed {
        deadline: Nanoseconds,
    },
}

/// The timer. It is never disarmed: firing once for nothing is cheaper than a system call for each
/// operation that settles in time.
#[derive(Debug)]
pub(super) struct Timer {
    state: State,
    generation: u64,
    /// The answer to a change is due, perhaps of one that the timer did not wait for. Until it has
    /// come there is no other change: the reserve has room for one.
    change_due: bool,
    /// The kernel has no `IORING_TIMEOUT_UPDATE` (before 5.11), or failed to do it: cancel the timer
    /// and arm another.
    no_update: bool,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self { state: State::Idle, generation: 0, change_due: false, no_update: false }
    }

    fn tag(&self, kind: Kind) -> Tag {
        Tag::new(kind, Key { slot: 0, generation: self.generation })
    }

    /// What must be queued so that the timer fires by `deadline`. Say [`Timer::queued`] once it is.
    pub(super) fn plan(&self, deadline: Nanoseconds) -> Option<(Tag, Work)> {
        match self.state {
            State::Idle => {
                let generation = (self.generation + 1) & GENERATION_MASK;
                let tag = Tag::new(Kind::Timer, Key { slot: 0, generation });
                Some((tag, Work::Timer { deadline }))
            }
            State::Armed { deadline: armed } if deadline < armed && !self.change_due => {
                let timer = self.tag(Kind::Timer);
                let work = if self.no_update {
                    Work::Cancel { target: timer }
                } else {
                    Work::TimerUpdate { timer, deadline }
                };
                Some((self.tag(Kind::TimerUpdate), work))
            }
            State::Armed { .. } => None,
        }
    }

    /// The plan's SQE was queued.
    pub(super) fn queued(&mut self, tag: Tag, deadline: Nanoseconds) {
        if tag.kind() == Kind::Timer {
            self.generation = tag.key().generation;
        } else {
            self.change_due = true;
        }
        self.state = State::Armed { deadline };
    }

    /// The timer's own CQE came: it fired, or was cancelled to be armed anew.
    pub(super) fn fired(&mut self, tag: Tag) {
        if tag.key().generation == self.generation {
            self.state = State::Idle;
        }
    }

    /// The change's CQE came.
    pub(super) fn changed(&mut self, tag: Tag, result: i32) {
        self.change_due = false;
        if tag.key().generation != self.generation || self.state == State::Idle {
            return;
        }
        if self.no_update {
            // Cancelled, or fired: its own CQE follows.
            self.state = State::Armed { deadline: 0 };
        } else if result < 0 && !matches!(-result, libc::ENOENT | libc::EALREADY) {
            self.no_update = true;
            // As late as can be: the next plan changes it.
            self.state = State::Armed { deadline: Nanoseconds::MAX };
        }
        // After -ENOENT or -EALREADY it has fired, and its own CQE follows.
    }
}

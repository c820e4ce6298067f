//! The cancellation protocol of one operation: a pure state machine.
//!
//! Events go in, actions come out. The machine reads no clock, makes no system call and allocates
//! nothing; whoever drives it (the [in-flight table](crate::table) under the ring, or a model
//! checker) carries the actions out and reports back what became of them.
//!
//! ```text
//!             Submitted          TargetCompleted
//!   Waiting ------------> InFlight -----------------> Settled --> (slot free)
//!      |                  |      ^                       ^
//!      | CancelAsked      |      | resubmit:             | no cancel outstanding,
//!      v                  |      | back to Waiting       | or its answer has come
//!   Settled(Cancelled)    |      |
//!                         | CancelAsked
//!                         v
//!        Wanted --CancelIssued--> Outstanding --CancelAnswered--> Resting
//!          ^                           | (late: RetryDue came first)    |
//!          +---------------------------+<----------- RetryDue ----------+
//! ```
//!
//! The one thing that ends an operation is its own final CQE. What the cancel answered is kept for
//! reports and decides nothing.

use crate::policy::CancelPolicy;
use std::time::Duration;

/// The kernel's own ERESTARTSYS to ERESTART_RESTARTBLOCK: meant for its signal code, but seen in CQEs
/// (a cancelled splice, the open of a FIFO).
const RESTART_RESULTS: std::ops::RangeInclusive<i32> = -516..=-512;

/// Whether a result says that a signal, or what passes for one, ended the operation early.
pub(crate) fn is_interruption(result: i32) -> bool {
    result == -libc::EINTR || RESTART_RESULTS.contains(&result)
}

/// An operation that was interrupted without a cancel is submitted again, but not for ever: a signal
/// storm that hits the same operation this often in a row is passed on as the error that it is.
pub const MAX_INTERRUPTIONS: u8 = 100;

/// What happened to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its SQE was queued for the kernel.
    Submitted {
        /// Whether the SQE carries an `IOSQE_ASYNC` that the operation can do without.
        asynchronous: bool,
    },
    /// Somebody wants it to end.
    CancelAsked,
    /// The SQE of a cancel was queued for the kernel.
    CancelIssued,
    /// The cancel's own CQE came, with this result. It is advice, never a completion.
    CancelAnswered(i32),
    /// A CQE of the operation itself came.
    TargetCompleted {
        /// The CQE's result.
        result: i32,
        /// `IORING_CQE_F_MORE`: another CQE of this operation follows.
        more: bool,
        /// `IORING_CQE_F_NOTIF`: the CQE only says that the memory is free again.
        notification: bool,
    },
    /// The final CQE of an operation that is to wait said -EAGAIN: nothing was there, whatever a poll had said. (Another
    /// reader was faster; a driver polls as ready what is not.)
    TargetNotReady,
    /// The delay after a cancel is over.
    RetryDue,
    /// `stuck_after` is over.
    StuckDue,
    /// The ring gives the operation up, because the time to drain is over.
    Abandoned,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It has a result (bytes, a descriptor, a mask of events), cancel or no cancel.
    Completed(i32),
    /// It failed with this `errno` (positive).
    Failed(i32),
    /// It was cancelled, and nothing was transferred.
    Cancelled,
    /// The kernel still holds it. Its memory, slot and descriptor stay leaked.
    Stuck,
    /// The kernel takes nothing of this ring any more, with this errno: something forbids io_uring since the ring was
    /// made. What it still held is leaked.
    Forbidden(i32),
}

/// What the driver of a machine has to do, in the order of the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions {
    /// Hand the operation to its client. At most once in an operation's life.
    pub settle: Option<Verdict>,
    /// The slot may be reused: no CQE that names it is to come.
    pub release: bool,
    /// Queue the operation's SQE again (interrupted, or `IOSQE_ASYNC` refused).
    pub resubmit: bool,
    /// Queue a cancel as soon as there is room, then say [`Event::CancelIssued`].
    pub issue_cancel: bool,
    /// Say [`Event::RetryDue`] after this delay.
    pub arm_retry: Option<Duration>,
    /// Say [`Event::StuckDue`] after this delay.
    pub arm_stuck: Option<Duration>,
    /// Report the operation as stuck.
    pub report_stuck: bool,
}

const NOTHING: Actions = Actions {
    settle: None,
    release: false,
    resubmit: false,
    issue_cancel: false,
    arm_retry: None,
    arm_stuck: None,
    report_stuck: false,
};

/// What the next SQE of an operation asks for, or the one that the kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// What the client asked for.
    Attempt,
    /// A poll: the last attempt found nothing there.
    Poll,
    /// A pause, [`pause`] of this number long: attempts found nothing there although a poll had said so.
    Pause(u8),
}

/// The longest pause is the one of this number.
pub(crate) const LONGEST_PAUSE: u8 = 7;

/// How long the pause of a number is: from 1 ms, which nobody notices, doubled up to 100 ms, which cost ten wake-ups a
/// second for a descriptor whose poll always says that something is there.
pub const fn pause(number: u8) -> Duration {
    let number = if number > LONGEST_PAUSE { LONGEST_PAUSE } else { number };
    let milliseconds = 1u64 << number;
    Duration::from_millis(if milliseconds > 100 { 100 } else { milliseconds })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// In the queue; the kernel does not know it.
    Waiting,
    /// The kernel has it.
    InFlight,
    /// Its client has it back. The slot lives on while a cancel's answer is due.
    Settled,
    /// Given up. The slot is never free again.
    Abandoned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cancel {
    /// Nobody asked.
    None,
    /// Asked, and waiting for room in the queue.
    Wanted,
    /// The kernel has the cancel's SQE.
    Outstanding,
    /// As before, and the delay was over before the answer came.
    Overdue,
    /// Answered; the next attempt waits for its delay.
    Resting,
}

/// The state of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    phase: Phase,
    cancel: Cancel,
    asynchronous: bool,
    stuck: bool,
    interruptions: u8,
    stage: Stage,
    /// How often an attempt found nothing there, as far as pauses differ.
    misses: u8,
    attempts: u32,
    last_answer: Option<i32>,
    /// What CQEs with `F_MORE` have said so far: the sum of their counts, or an error if none had one.
    earlier: Option<i32>,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// An operation that waits to be submitted.
    pub const fn new() -> Self {
        Self {
            phase: Phase::Waiting,
            cancel: Cancel::None,
            asynchronous: false,
            stuck: false,
            interruptions: 0,
            stage: Stage::Attempt,
            misses: 0,
            attempts: 0,
            last_answer: None,
            earlier: None,
        }
    }

    /// Whether it waits in the queue.
    #[inline(always)]
    pub fn is_waiting(&self) -> bool {
        self.phase == Phase::Waiting
    }

    /// Whether the kernel has it: its memory and its descriptor must stay.
    #[inline(always)]
    pub fn is_in_flight(&self) -> bool {
        self.phase == Phase::InFlight
    }

    /// Whether its client has it back (or it was given up).
    pub fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Settled | Phase::Abandoned)
    }

    /// Whether somebody asked for its cancellation.
    #[inline(always)]
    pub fn is_cancel_asked(&self) -> bool {
        self.cancel != Cancel::None
    }

    /// Whether a cancel waits for room in the queue.
    pub fn is_cancel_wanted(&self) -> bool {
        self.cancel == Cancel::Wanted
    }

    /// Whether the kernel has a cancel for it whose answer is due.
    #[inline(always)]
    pub fn is_cancel_outstanding(&self) -> bool {
        matches!(self.cancel, Cancel::Outstanding | Cancel::Overdue)
    }

    /// Whether it is (or is to be) submitted with an `IOSQE_ASYNC` that it can do without.
    pub fn is_asynchronous(&self) -> bool {
        self.asynchronous
    }

    /// What its next SQE asks for, or the one that the kernel has.
    #[inline(always)]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it was reported as stuck.
    pub fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// How many cancels were issued.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What the last answered cancel said.
    pub fn last_answer(&self) -> Option<i32> {
        self.last_answer
    }

    /// Advances the machine.
    ///
    /// # Panics
    ///
    /// In builds with debug assertions, on an event that cannot happen in the machine's state (a
    /// second final CQE, an answer to a cancel that was never issued). Release builds ignore it.
    #[inline(always)]
    pub fn step(&mut self, event: Event, policy: &CancelPolicy) -> Actions {
        match event {
            Event::Submitted { asynchronous } => self.submitted(asynchronous),
            Event::TargetCompleted { result, more, notification } => {
                self.target_completed(result, more, notification)
            }
            Event::TargetNotReady => self.target_not_ready(),
            Event::CancelAsked => self.cancel_asked(policy),
            Event::CancelIssued => self.cancel_issued(policy),
            Event::CancelAnswered(answer) => self.cancel_answered(answer),
            Event::RetryDue => self.retry_due(),
            Event::StuckDue => self.stuck_due(),
            Event::Abandoned => self.abandoned(),
        }
    }

    #[inline(always)]
    fn submitted(&mut self, asynchronous: bool) -> Actions {
        if self.phase != Phase::Waiting {
            debug_assert!(false, "submitted while {:?}", self.phase);
            return NOTHING;
        }
        self.phase = Phase::InFlight;
        self.asynchronous = asynchronous;
        NOTHING
    }

    #[inline(always)]
    fn target_completed(&mut self, result: i32, more: bool, notification: bool) -> Actions {
        if self.phase != Phase::InFlight {
            debug_assert!(self.phase == Phase::Abandoned, "a CQE while {:?}", self.phase);
            return NOTHING;
        }
        if self.stage != Stage::Attempt {
            return if more { NOTHING } else { self.stage_completed(result) };
        }
        let with_earlier = match self.earlier {
            Some(earlier) if notification => earlier,
            Some(count @ 0..) => count.saturating_add(result.max(0)),
            _ => result,
        };
        if more {
            self.earlier = Some(with_earlier);
            return NOTHING;
        }
        match self.judge(with_earlier) {
            Some(verdict) => self.settle(verdict),
            None => self.resubmit(),
        }
    }

    /// Nothing was there. What an earlier CQE brought is a result all the same.
    #[cold]
    fn target_not_ready(&mut self) -> Actions {
        if self.phase != Phase::InFlight || self.stage != Stage::Attempt || self.earlier.is_some() {
            return self.target_completed(-libc::EAGAIN, false, false);
        }
        if self.is_cancel_asked() {
            return self.settle(Verdict::Cancelled);
        }
        if self.asynchronous {
            // No worker can wait on some files.
            self.asynchronous = false;
        } else {
            // The first poll may be right: somebody else was faster. A second one in a row may lie again.
            self.stage = match self.misses {
                0 => Stage::Poll,
                misses => Stage::Pause(misses - 1),
            };
            self.misses = (self.misses + 1).min(LONGEST_PAUSE + 1);
        }
        self.resubmit()
    }

    /// A poll or a pause ended, however: what it says is no result of the operation.
    #[cold]
    fn stage_completed(&mut self, result: i32) -> Actions {
        if self.is_cancel_asked() {
            return self.settle(Verdict::Cancelled);
        }
        if is_interruption(result) && self.interruptions < MAX_INTERRUPTIONS {
            self.interruptions += 1;
        } else {
            self.stage = match self.stage {
                Stage::Pause(_) => Stage::Poll,
                Stage::Poll | Stage::Attempt => Stage::Attempt,
            };
        }
        self.resubmit()
    }

    /// What a result means; `None` if the operation is to be submitted again.
    #[inline(always)]
    fn judge(&mut self, result: i32) -> Option<Verdict> {
        if result >= 0 {
            return Some(Verdict::Completed(result));
        }
        let errno = result.saturating_neg();
        let interrupted = is_interruption(result);
        if self.is_cancel_asked() {
            // Once a cancel is asked nothing is silently tried again, and -EAGAIN on an operation
            // that would have been tried again says no more than that nothing was transferred.
            let ended = interrupted
                || errno == libc::ECANCELED
                || (self.asynchronous && errno == libc::EAGAIN);
            return Some(if ended { Verdict::Cancelled } else { Verdict::Failed(errno) });
        }
        if interrupted && self.interruptions < MAX_INTERRUPTIONS {
            self.interruptions += 1;
            return None;
        }
        // No worker can wait on some files (-EAGAIN), and where the limit of processes or threads is reached
        // the kernel has none (-ECANCELED).
        if self.asynchronous && (errno == libc::EAGAIN || errno == libc::ECANCELED) {
            self.asynchronous = false;
            return None;
        }
        // The client's errno.h has no name for the restart results.
        Some(Verdict::Failed(if interrupted { libc::EINTR } else { errno }))
    }

    fn resubmit(&mut self) -> Actions {
        self.phase = Phase::Waiting;
        self.earlier = None;
        Actions { resubmit: true, ..NOTHING }
    }

    #[inline(always)]
    fn settle(&mut self, verdict: Verdict) -> Actions {
        self.phase = Phase::Settled;
        let outstanding = self.is_cancel_outstanding();
        if self.cancel == Cancel::Wanted {
            // There is nothing left to cancel; whoever queued the wish finds it gone.
            self.cancel = Cancel::Resting;
        }
        Actions { settle: Some(verdict), release: !outstanding, ..NOTHING }
    }

    fn cancel_asked(&mut self, policy: &CancelPolicy) -> Actions {
        if self.is_cancel_asked() {
            return NOTHING;
        }
        match self.phase {
            Phase::Waiting => {
                self.cancel = Cancel::Resting;
                self.settle(Verdict::Cancelled)
            }
            Phase::InFlight => {
                self.cancel = Cancel::Wanted;
                Actions { issue_cancel: true, arm_stuck: Some(policy.stuck_after), ..NOTHING }
            }
            Phase::Settled | Phase::Abandoned => NOTHING,
        }
    }

    fn cancel_issued(&mut self, policy: &CancelPolicy) -> Actions {
        if self.cancel != Cancel::Wanted {
            debug_assert!(false, "issued while {:?}", self.cancel);
            return NOTHING;
        }
        self.cancel = Cancel::Outstanding;
        self.attempts = self.attempts.saturating_add(1);
        let arm_retry = policy.reissue.then(|| policy.delay(self.attempts));
        Actions { arm_retry, ..NOTHING }
    }

    fn cancel_answered(&mut self, answer: i32) -> Actions {
        if !self.is_cancel_outstanding() {
            debug_assert!(false, "answered while {:?}", self.cancel);
            return NOTHING;
        }
        self.last_answer = Some(answer);
        match self.phase {
            Phase::Settled => {
                self.cancel = Cancel::Resting;
                Actions { release: true, ..NOTHING }
            }
            Phase::InFlight if self.cancel == Cancel::Overdue => {
                self.cancel = Cancel::Wanted;
                Actions { issue_cancel: true, ..NOTHING }
            }
            _ => {
                self.cancel = Cancel::Resting;
                NOTHING
            }
        }
    }

    fn retry_due(&mut self) -> Actions {
        if self.phase != Phase::InFlight {
            return NOTHING;
        }
        match self.cancel {
            Cancel::Resting => {
                self.cancel = Cancel::Wanted;
                Actions { issue_cancel: true, ..NOTHING }
            }
            Cancel::Outstanding => {
                self.cancel = Cancel::Overdue;
                NOTHING
            }
            Cancel::None | Cancel::Wanted | Cancel::Overdue => NOTHING,
        }
    }

    fn stuck_due(&mut self) -> Actions {
        if self.phase != Phase::InFlight || !self.is_cancel_asked() || self.stuck {
            return NOTHING;
        }
        self.stuck = true;
        Actions { report_stuck: true, ..NOTHING }
    }

    fn abandoned(&mut self) -> Actions {
        match self.phase {
            Phase::Waiting => self.settle(Verdict::Cancelled),
            Phase::InFlight => {
                self.phase = Phase::Abandoned;
                Actions { settle: Some(Verdict::Stuck), ..NOTHING }
            }
            Phase::Settled | Phase::Abandoned => NOTHING,
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;

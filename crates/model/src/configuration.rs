//! How large a model is, and what its kernel and its clients may do.

use crate::defect::Defect;
use crate::sight::Sight;
use uring_safe_cancel::CancelPolicy;

/// The most operations that a model can have.
pub const MAX_OPERATIONS: usize = 4;

/// How many further cancels the kernel may see while it delays a completion that it owes. Without a
/// bound a run would have no end; with one cancel more, the library's next attempt meets an operation
/// that was cancelled already, in each of its states.
pub const CANCELS_WHILE_OWED: u8 = 1;

/// What cancels answer: found, found and counted (futex_wait, waitid), not found, running, an unknown
/// flag, gave up waiting.
pub const ANSWERS: [i32; 6] = [0, 1, -libc::ENOENT, -libc::EALREADY, -libc::EINVAL, -libc::ETIME];

/// One final result of each class that `Machine::judge` tells apart: a count, nothing, the
/// cancellation, an interruption, -EAGAIN, another error.
pub const RESULT_CLASSES: [i32; 6] = [3, 0, -libc::ECANCELED, -512, -libc::EAGAIN, -libc::EIO];

/// All the final results that the notes on the kernel list, a full and a partial count among them.
pub const ALL_RESULTS: [i32; 13] = [
    8,
    3,
    0,
    -libc::ECANCELED,
    -libc::EINTR,
    -512,
    -513,
    -514,
    -516,
    -libc::EAGAIN,
    -libc::EIO,
    -libc::EFAULT,
    -libc::ETIME,
];

/// Which answers a cancel may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Each of [`ANSWERS`], to each cancel.
    All,
    /// Each of [`ANSWERS`] in turn, from one cancel of an operation to the next and from one operation
    /// to the next. The machine keeps the answer for reports only, so that states which differ in it
    /// alone behave alike; the models with [`Answers::All`] do not rely on that.
    InTurn,
}

/// A model.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// What it is called in reports.
    pub name: &'static str,
    /// How many operations its client submits, one after the other.
    pub operations: usize,
    /// How many cancels of one operation the kernel may lose. It honours the next.
    pub losses: u8,
    /// The size of the completion queue. With 5 entries one operation is in flight at a time, with 6
    /// two, with 7 three.
    pub completions: u32,
    /// How many operations may wait above those in flight.
    pub waiting: u32,
    /// Which operations are submitted with `IOSQE_ASYNC`.
    pub asynchronous: [bool; MAX_OPERATIONS],
    /// Which operations wait until something is there: -EAGAIN is followed by a poll.
    pub waits: [bool; MAX_OPERATIONS],
    /// How often, over all operations, the kernel may send a CQE with `F_MORE`, interrupt an operation
    /// nobody cancelled, answer -EAGAIN to `IOSQE_ASYNC`, or have nothing there.
    pub extras: u8,
    /// The results of final CQEs.
    pub results: &'static [i32],
    /// The answers of cancels.
    pub answers: Answers,
    /// Whether the submission queue may be full at any time.
    pub submission_queue_fills: bool,
    /// Whether all operations are at the current position of one file, so that they run in turn.
    pub in_line: bool,
    /// Whether the client closes descriptors.
    pub closes: bool,
    /// Whether each operation has a timeout, which asks for its cancellation.
    pub timeouts: bool,
    /// Whether an operation counts as stuck after a time.
    pub reports_stuck: bool,
    /// Whether final CQEs are posted, and the ring reaps them later. Otherwise it reaps each at once.
    pub posts: bool,
    /// Whether the client may give up what it has, once.
    pub gives_up: bool,
    /// What the library does.
    pub policy: CancelPolicy,
    /// What the driver of the table does wrong.
    pub defect: Option<Defect>,
    /// What to look for: the model is then there to show that this happens, and ends with it.
    pub looks_for: Option<Sight>,
}

impl Configuration {
    /// Two operations; each answer and each result to each of them.
    pub fn two() -> Self {
        Self {
            name: "two operations",
            operations: 2,
            losses: 2,
            completions: 6,
            waiting: 1,
            asynchronous: [true, false, false, false],
            waits: [true, true, false, true],
            extras: 2,
            results: &ALL_RESULTS,
            answers: Answers::All,
            submission_queue_fills: true,
            in_line: false,
            closes: false,
            timeouts: false,
            reports_stuck: false,
            posts: false,
            gives_up: false,
            policy: CancelPolicy::default(),
            defect: None,
            looks_for: None,
        }
    }

    /// Three operations, of which two fit into the kernel: slots are used again, operations and cancels
    /// wait for room.
    pub fn three() -> Self {
        Self {
            name: "three operations, two at a time",
            operations: 3,
            waiting: 2,
            extras: 2,
            results: &RESULT_CLASSES,
            answers: Answers::InTurn,
            ..Self::two()
        }
    }

    /// Four operations, the fewest for which the reserve for cancels is not enough: three have a cancel whose
    /// answer is due, and the fourth must wait although another operation would fit. Not much else happens.
    pub fn four() -> Self {
        Self {
            name: "four operations, nothing rare",
            operations: 4,
            waiting: 3,
            extras: 0,
            submission_queue_fills: false,
            ..Self::three()
        }
    }

    /// What `cargo test` explores for a number of losses: each model has something that would make all of them
    /// together too large. The more losses, the less else.
    pub fn all(losses: u8) -> Vec<Self> {
        let extras = 4_u8.saturating_sub(losses).max(1);
        let two = Self { losses, extras: 1, ..Self::two() };
        let three = Self { losses, extras, ..Self::three() };
        vec![
            two.clone(),
            Self {
                name: "two operations, timeouts and reports",
                timeouts: true,
                reports_stuck: true,
                answers: Answers::InTurn,
                ..two.clone()
            },
            Self {
                name: "two operations, reaped late",
                // What lies in the queue multiplies the states by as much as two losses do.
                losses: losses.saturating_sub(2),
                timeouts: true,
                posts: true,
                gives_up: true,
                answers: Answers::InTurn,
                results: &RESULT_CLASSES,
                ..two
            },
            Self {
                name: "three operations, one at a time",
                completions: 5,
                closes: true,
                ..three.clone()
            },
            three.clone(),
            Self { name: "three operations at once", completions: 7, extras: 1, ..three.clone() },
            Self { name: "three operations in line", in_line: true, ..three.clone() },
            Self {
                name: "three operations, given up",
                gives_up: true,
                extras: extras - 1,
                ..three
            },
            Self { losses, ..Self::four() },
        ]
    }

    /// The most cancels that are issued for one operation before time stands still until its final CQE.
    pub fn most_cancels(&self) -> u8 {
        self.losses + 1 + CANCELS_WHILE_OWED
    }
    /// How many wishes to cancel an operation make a difference: the first one. With the naive policy each
    /// issues a cancel, and there are two.
    pub fn most_asks(&self) -> u8 {
        if self.policy.reissue {
            1
        } else {
            2
        }
    }
}

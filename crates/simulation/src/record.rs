//! What is known of one operation: what its client asked for, how far the kernel is with it, and what it
//! must therefore settle with. Written by hand from the contract, not derived from the library.

use crate::lines::{Line, Moves};
use crate::pattern::Pattern;
use std::ops::RangeInclusive;
use std::os::fd::RawFd;
use std::time::Duration;
use uring_safe_cancel::descriptor::FileKind;
use uring_safe_cancel::kernel::decoded::Decoded;
use uring_safe_cancel::kernel::{Nanoseconds, Way};
use uring_safe_cancel::{CancelPolicy, Key, Verdict};

/// The kinds of operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // As in `uring_safe_cancel::operation`.
pub enum Kind {
    #[default]
    Nop,
    Read,
    Write,
    ReadVectored,
    WriteVectored,
    Poll,
    Sleep,
    Open,
    Close,
    Sync,
}

impl Kind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nop => "nop",
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadVectored => "readv",
            Self::WriteVectored => "writev",
            Self::Poll => "poll",
            Self::Sleep => "sleep",
            Self::Open => "open",
            Self::Close => "close",
            Self::Sync => "fsync",
        }
    }

    /// Whether it brings bytes to the client.
    pub fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadVectored)
    }

    /// Whether it takes bytes from the client.
    pub fn writes(self) -> bool {
        matches!(self, Self::Write | Self::WriteVectored)
    }
}

/// How far the kernel is with an SQE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// It knows nothing of it, or the ring has reaped its final CQE.
    #[default]
    Away,
    /// In the submission queue.
    Queued,
    /// The kernel works on it.
    Taken,
    /// The final CQE is there, and the ring has not reaped it.
    Posted,
}

/// The file of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The client's number.
    pub number: RawFd,
    /// Which file of the client's (a number may come to mean another).
    pub file: usize,
    /// The file's inode.
    pub inode: u64,
    /// What the ring is told that it is.
    pub kind: FileKind,
}

/// What an SQE of an operation asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asks {
    /// What the client asked for.
    #[default]
    Attempt,
    /// A poll, because nothing was there.
    Poll,
    /// A pause, because nothing was there although a poll had said so. Its number.
    Pause(u8),
}

/// The longest pause, as the contract has it: they double from 1 ms to 100 ms.
const LONGEST_PAUSE: u8 = 7;

/// The kernel's ERESTARTSYS to ERESTART_RESTARTBLOCK.
pub const RESTARTS: RangeInclusive<i32> = -516..=-512;
/// CQEs that the contract keeps for cancels (clause 7). Not the library's own number, which may be wrong.
pub const CANCEL_RESERVE: u32 = 2;
/// And for the timer and a change of it.
pub const TIMER_RESERVE: u32 = 2;
/// As the contract has it (clause 4).
pub const MOST_INTERRUPTIONS: u32 = 100;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Record {
    /// Counts operations; the ring knows its client by it.
    pub serial: u64,
    /// The key's generation. The slot is where the record stands.
    pub generation: u64,
    /// The key, once the ring has told it.
    pub key: Option<Key>,
    /// What it is.
    pub kind: Kind,
    /// Where its bytes are: address and length.
    pub parts: Vec<(usize, u32)>,
    /// How many bytes.
    pub length: u32,
    /// Where in the file.
    pub offset: u64,
    /// Its file.
    pub target: Option<Target>,
    /// A poll's mask, or the flags of an open.
    pub flags: u32,
    /// A sleep's.
    pub time: Duration,
    /// The descriptor to close.
    pub closes: RawFd,
    /// The bytes of core memory that it holds.
    pub held: usize,
    /// Whether it works at the position of a file that has one.
    pub at_position: bool,
    /// How it moves that.
    pub moves: Moves,
    /// Where the position was when its turn came.
    pub position: u64,
    /// How the kernel said that it must be handed over, if it was asked.
    pub way: Option<Way>,
    /// Whether -EAGAIN says that nothing is there yet.
    pub waits: bool,
    /// Its result, where that is known without the kernel.
    pub told: Option<i32>,
    /// Whether a thread of the library closes the descriptor.
    pub is_elsewhere: bool,
    /// Whether it gave the ring a descriptor to hold.
    pub is_held: bool,
    /// Whether its client asked for `IOSQE_ASYNC`.
    pub wants_async: bool,
    /// Its timeout.
    pub timeout: Option<Duration>,
    /// When the client submitted it.
    pub submitted_at: Nanoseconds,
    /// When the deadline of its timeout was set, at the latest.
    pub timeout_from: Option<Nanoseconds>,
    /// When the client asked for its cancellation.
    pub asked_at: Option<Nanoseconds>,
    /// Its client wants no result.
    pub dropped: bool,
    /// Its client has it back.
    pub settled: bool,
    /// The ring gave it up: what it holds stays leaked.
    pub given_up: bool,
    /// It was reported as stuck.
    pub reported: bool,

    /// The `user_data` of its SQE.
    pub tag: u64,
    /// How far the kernel is with it.
    pub stage: Stage,
    /// How often it was queued.
    pub submissions: u32,
    /// What its present submission asks for.
    pub asks: Asks,
    /// How often an attempt found nothing there, as far as that matters.
    pub misses: u8,
    /// When it was reaped its number was closed, and nobody held the file: it cannot wait.
    pub is_orphaned: bool,
    /// Another CQE of the present submission was posted before.
    pub followed: bool,
    /// What the last attempt was.
    pub attempt: Option<Decoded>,
    /// Whether its present submission has `IOSQE_ASYNC`.
    pub asynchronous: bool,
    /// The descriptor in its SQE.
    pub number: Option<RawFd>,
    /// Whether the SQE had the client's own number at first.
    pub is_borrowed: bool,
    /// The address of what else its SQE points to.
    pub pointed: usize,
    /// The one event that is due for it.
    pub awaited: u64,
    /// No cancel can change its result any more.
    pub is_executed: bool,
    /// It never ends by itself.
    pub hangs: bool,
    /// No cancel helps.
    pub silent: bool,
    /// Bytes read or written in this submission.
    pub done: u32,
    /// A CQE of this submission had a count; they add up to this.
    pub count: Option<i32>,
    /// The last error of this submission.
    pub error: i32,
    /// When the final CQE of this submission was posted.
    pub posted_at: Option<Nanoseconds>,
    /// How often it was interrupted.
    pub interruptions: u32,

    /// The `user_data` of its cancels.
    pub cancel_tag: u64,
    /// How far the kernel is with the cancel on its way.
    pub cancel: Stage,
    /// How many cancels were queued.
    pub attempts: u32,
    /// How many the kernel took.
    pub attempts_taken: u32,
    /// Which one works.
    pub honoured_at: u32,
    /// When the last one was queued.
    pub attempted_at: Nanoseconds,
    /// When the delay after the last one began, at the latest.
    pub retry_from: Option<Nanoseconds>,
}

impl Record {
    /// What a read brings.
    pub fn incoming(&self) -> Pattern {
        Pattern::of(self.serial * 2)
    }

    /// What a write takes.
    pub fn outgoing(&self) -> Pattern {
        Pattern::of(self.serial * 2 + 1)
    }

    /// Whether the ring must have leaked what it holds, after the ring's end.
    pub fn is_leaked(&self) -> bool {
        self.given_up || self.stage != Stage::Away
    }

    /// Whether it may have ended without the kernel: then it settles with the next flush, and a cancel
    /// finds it gone.
    pub fn may_be_ready(&self) -> bool {
        let was_asked = self.asked_at.is_some() || self.timeout.is_some();
        let closed_at_once = self.kind == Kind::Close && self.submissions == 0;
        self.stage == Stage::Away && (was_asked || closed_at_once || self.told.is_some())
            || self.is_reaped()
    }

    /// Whether its result was reaped: if need be beyond a flush's budget, before something was judged by the
    /// clock. A cancel finds it gone.
    pub fn is_reaped(&self) -> bool {
        self.stage == Stage::Away && self.submissions > 0 && self.next().is_none()
    }

    /// Whether the kernel had posted its end before a deadline: then it must not be judged by that.
    pub fn was_over_by(&self, due: Nanoseconds) -> bool {
        self.posted_at.is_some_and(|at| at < due) && self.next().is_none()
    }

    /// The documented trap: an operation on a number that is submitted again finds what that means now.
    pub fn is_trapped(&self) -> bool {
        self.submissions > 1 && self.is_borrowed
    }

    /// Whether the operation exists: submitted, and not settled.
    pub fn is_live(&self) -> bool {
        self.serial != 0 && !self.settled
    }

    /// The result of the submission whose final CQE was reaped, as its client is to see it.
    pub fn result(&self) -> i32 {
        let result = self.count.unwrap_or(self.error);
        match self.kind {
            Kind::Sleep if result == -libc::ETIME => 0,
            Kind::Close if is_interruption(result) => 0,
            // A poll told of the thread's end.
            Kind::Close if self.is_elsewhere => 0,
            _ => result,
        }
    }

    /// What the contract wants submitted after the present submission's final CQE, if nobody asked for a
    /// cancellation; nothing, if it is to settle.
    pub fn next(&self) -> Option<Asks> {
        let result = self.result();
        if is_interruption(result) && self.interruptions <= MOST_INTERRUPTIONS {
            return Some(self.asks);
        }
        match self.asks {
            Asks::Attempt if self.is_refused() => Some(Asks::Attempt),
            // The first poll is believed. After another miss a pause comes before the next poll.
            Asks::Attempt if self.is_not_ready() => Some(match self.misses {
                0 => Asks::Poll,
                misses => Asks::Pause((misses - 1).min(LONGEST_PAUSE)),
            }),
            Asks::Attempt => None,
            Asks::Pause(_) => Some(Asks::Poll),
            Asks::Poll => Some(Asks::Attempt),
        }
    }

    /// Whether the kernel had no worker for it, and it is to be tried without.
    pub fn is_refused(&self) -> bool {
        let is_refusal = [-libc::EAGAIN, -libc::ECANCELED].contains(&self.result());
        is_refusal && self.asynchronous && !self.needs_worker() && self.asks == Asks::Attempt
    }

    /// Whether nothing was there, and somebody waits for it.
    pub fn is_not_ready(&self) -> bool {
        self.waits && self.result() == -libc::EAGAIN && !self.followed && !self.is_orphaned
    }

    /// Whether it must not be handed over without `IOSQE_ASYNC`.
    pub fn needs_worker(&self) -> bool {
        self.kind == Kind::Open || matches!(self.way, Some(Way::Worker | Way::InTurn))
    }

    /// Whether its first submission has `IOSQE_ASYNC`.
    pub fn is_for_worker(&self) -> bool {
        match self.target {
            Some(_) => !matches!(self.way, None | Some(Way::Plain)),
            None => (self.wants_async || self.needs_worker()) && self.kind != Kind::Close,
        }
    }

    /// Where it takes its turn.
    pub fn line(&self) -> Option<Line> {
        let target = self.target.filter(|_| self.told.is_none())?;
        let is_in_turn = self.way == Some(Way::InTurn);
        Line::of(target, self.at_position, is_in_turn, self.kind.writes())
    }

    /// What it has to settle with after its final CQE; `None` if it must not settle.
    pub fn expected(&self, cancel_asked: bool) -> Option<Verdict> {
        if self.asks != Asks::Attempt {
            // A poll's result is none of the operation's.
            return cancel_asked.then_some(Verdict::Cancelled);
        }
        let result = self.result();
        if result >= 0 {
            return Some(Verdict::Completed(result));
        }
        let is_interruption = is_interruption(result);
        if cancel_asked {
            let nothing_moved = self.is_refused() || self.is_not_ready();
            let is_cancelled = is_interruption || result == -libc::ECANCELED || nothing_moved;
            return Some(if is_cancelled { Verdict::Cancelled } else { Verdict::Failed(-result) });
        }
        if self.next().is_some() {
            return None;
        }
        Some(Verdict::Failed(if is_interruption { libc::EINTR } else { -result }))
    }
}

/// The delay after the `attempt`-th cancel, as the contract has it (clause 2): it doubles, up to a cap.
pub fn delay(policy: &CancelPolicy, attempt: u32) -> Nanoseconds {
    let (first, most) = (policy.first_delay.as_nanos(), policy.max_delay.as_nanos());
    if first == 0 {
        return 0;
    }
    let doubled = 2u128.checked_pow(attempt - 1).and_then(|factor| first.checked_mul(factor));
    doubled.unwrap_or(most).min(most) as Nanoseconds
}

/// Whether a result is -EINTR, or a restart code that leaked.
pub fn is_interruption(result: i32) -> bool {
    result == -libc::EINTR || RESTARTS.contains(&result)
}

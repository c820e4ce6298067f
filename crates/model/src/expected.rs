//! What an operation must come to, written down from the contract (clause 4) and not from the machine.

use uring_safe_cancel::machine::Verdict;

/// Whether a result says that a signal, or what passes for one, ended the operation early.
pub fn is_interruption(result: i32) -> bool {
    result == -libc::EINTR || (-516..=-512).contains(&result)
}

/// What an SQE of an operation asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Asks {
    /// What the client asked for.
    #[default]
    Attempt,
    /// A poll, because an attempt found nothing there.
    Poll,
    /// The pause of this number, because an attempt found nothing there although a poll had said so.
    Pause(u8),
}

impl Asks {
    /// How many SQEs come before the next attempt, this one among them.
    pub fn before_attempt(self) -> u8 {
        match self {
            Self::Attempt => 0,
            Self::Poll => 1,
            Self::Pause(_) => 2,
        }
    }
}

/// What the kernel has said of one submission of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Said {
    /// What was submitted.
    pub asks: Asks,
    /// Whether the operation waits until something is there: then -EAGAIN is no result.
    pub waits: bool,
    /// Whether it was submitted with `IOSQE_ASYNC`.
    pub asynchronous: bool,
    /// What CQEs with `F_MORE` have delivered. `None`: there was none, or it had an error.
    pub delivered: Option<i32>,
    /// The error of a CQE with `F_MORE`: a notification follows.
    pub failed: Option<i32>,
}

/// What a final CQE must come to. `None`: the operation is submitted again.
///
/// ```
/// use uring_safe_cancel::machine::Verdict;
/// use uring_safe_cancel_model::expected::{expected, Asks, Said};
///
/// let asks = Asks::Attempt;
/// let said = Said { asks, waits: false, asynchronous: false, delivered: Some(3), failed: None };
/// let verdict = expected(said, true, -libc::ECANCELED, false);
/// assert_eq!(verdict, Some(Verdict::Completed(3)), "a delivered count is never discarded");
/// ```
pub fn expected(said: Said, asked: bool, result: i32, notification: bool) -> Option<Verdict> {
    if said.asks != Asks::Attempt {
        // What a poll or a pause says is no result of the operation.
        return asked.then_some(Verdict::Cancelled);
    }
    let count = if notification { 0 } else { result.max(0) };
    if let Some(delivered) = said.delivered {
        return Some(Verdict::Completed(delivered + count));
    }
    let result = said.failed.unwrap_or(result);
    if result >= 0 {
        return Some(Verdict::Completed(result));
    }
    let interrupted = is_interruption(result);
    let refused = said.asynchronous && matches!(-result, libc::EAGAIN | libc::ECANCELED);
    match (asked, interrupted || refused || is_miss(said, result, notification)) {
        (false, true) => None,
        (true, true) => Some(Verdict::Cancelled),
        (true, false) if result == -libc::ECANCELED => Some(Verdict::Cancelled),
        (_, false) => Some(Verdict::Failed(-result)),
    }
}

/// Whether a final CQE says that nothing was there yet, and somebody waits for it.
pub fn is_miss(said: Said, result: i32, notification: bool) -> bool {
    let first = said.delivered.is_none() && said.failed.is_none() && !notification;
    said.asks == Asks::Attempt && said.waits && first && result == -libc::EAGAIN
}

/// What must be submitted after a final CQE that settles nothing. `misses`: how many attempts without
/// `IOSQE_ASYNC` found nothing there before.
pub fn next(said: Said, result: i32, notification: bool, misses: u8) -> Asks {
    match said.asks {
        asks if is_interruption(result) => asks,
        Asks::Pause(_) => Asks::Poll,
        Asks::Poll => Asks::Attempt,
        Asks::Attempt if said.asynchronous || !is_miss(said, result, notification) => Asks::Attempt,
        // One poll is believed.
        Asks::Attempt if misses == 0 => Asks::Poll,
        Asks::Attempt => Asks::Pause(misses - 1),
    }
}

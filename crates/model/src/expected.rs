//! What an operation must come to, written down from the contract (clause 4) and not from the machine.

use uring_safe_cancel::machine::Verdict;

/// Whether a result says that a signal, or what passes for one, ended the operation early.
pub fn is_interruption(result: i32) -> bool {
    result == -libc::EINTR || (-516..=-512).contains(&result)
}

/// What the kernel has said of one submission of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Said {
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
/// use uring_safe_cancel_model::expected::{expected, Said};
///
/// let said = Said { asynchronous: false, delivered: Some(3), failed: None };
/// let verdict = expected(said, true, -libc::ECANCELED, false);
/// assert_eq!(verdict, Some(Verdict::Completed(3)), "a delivered count is never discarded");
/// ```
pub fn expected(said: Said, asked: bool, result: i32, notification: bool) -> Option<Verdict> {
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
    match (asked, interrupted || refused) {
        (false, true) => None,
        (true, true) => Some(Verdict::Cancelled),
        (true, false) if result == -libc::ECANCELED => Some(Verdict::Cancelled),
        (_, false) => Some(Verdict::Failed(-result)),
    }
}

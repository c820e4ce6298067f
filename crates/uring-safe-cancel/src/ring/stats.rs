//! What a ring has counted.

/// Counters since the ring was made, and two levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Operations that the ring accepted.
    pub submitted: u64,
    /// Operations that settled, whatever the verdict.
    pub completed: u64,
    /// Operations in the kernel's hands now.
    pub in_flight: u32,
    /// Operations that wait now.
    pub queued: u32,
    /// Operations whose cancellation was asked for.
    pub cancels_requested: u64,
    /// Cancels issued, the first and all further ones.
    pub cancel_attempts: u64,
    /// Cancels issued beyond the first for an operation.
    pub reissues: u64,
    /// Operations that completed only after a re-issue.
    pub rescued: u64,
    /// Operations that were reported as stuck.
    pub stuck: u64,
    /// The most cancels that one operation took.
    pub max_attempts: u32,
    /// Late results of operations whose client was gone.
    pub discarded: u64,
    /// How often the kernel took no SQEs for want of memory or room.
    pub refusals: u64,
    /// What cancels answered.
    pub answers: Answers,
}

/// Answers of cancels, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Zero or more: found.
    pub found: u64,
    /// -ENOENT: not found.
    pub not_found: u64,
    /// -EALREADY: found, and running.
    pub already: u64,
    /// Anything else.
    pub other: u64,
}

impl Answers {
    pub(super) fn count(&mut self, answer: i32) {
        let counter = match -answer {
            ..=0 => &mut self.found,
            libc::ENOENT => &mut self.not_found,
            libc::EALREADY => &mut self.already,
            _ => &mut self.other,
        };
        *counter += 1;
    }
}

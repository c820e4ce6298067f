//! Deterministic simulation of `uring-safe-cancel`.
//!
//! The real [`Ring`](uring_safe_cancel::Ring), with its table, machine, timer, deadlines, positions, arena
//! and descriptors, runs over a [simulated kernel](kernel) and is used by a [random client](client). All
//! chance comes from one seed, the clock is virtual, and each step is checked against the contract.
//!
//! - A *history* is what one seed makes: a [configuration] and a few lives of a ring.
//! - Memory and descriptors are real: the kernel writes into the addresses that it was given, at its own
//!   time, and a descriptor counts as closed once its pipe says so.
//! - The oracle ([`record`]) was written from `docs/contract.md`, not from the library.

pub mod arguments;
pub mod client;
pub mod configuration;
pub mod coverage;
pub mod files;
pub mod history;
pub mod kernel;
pub mod lines;
pub mod pattern;
pub mod program;
pub mod record;
pub mod report;
pub mod run;
pub mod trace;
pub mod world;

/// Ways to break the boundary between ring and kernel as a broken library would. The simulation must fail
/// with each of them: tests see to it that its checks can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Cancels are issued once.
    NoReissue,
    /// An operation passes for done before the kernel is done with its memory.
    FinalBeforeMemory,
    /// Bytes of a cancelled operation are thrown away.
    DiscardOnCancel,
    /// A read loses its last byte.
    ShortenResult,
    /// The timer is never set.
    SwallowTimer,
    /// Nobody asks for what the kernel holds back.
    ForgetBacklog,
    /// Once it has looked at the clock, a flush reaps no more.
    JudgeUnreaped,
    /// What found nothing there is tried again without a poll.
    SkipPoll,
    /// A number is polled that its owner may close.
    PollNumber,
    /// What was polled is tried again although a cancel was asked for.
    RetryAfterCancel,
    /// A wish to cancel is forgotten while a poll or a pause is on the way.
    ForgetWish,
    /// What was transferred short gives none of the position back.
    KeepPosition,
    /// An operation at the current position gets no offset.
    ForgetOffset,
    /// Two that must take turns run at the same time.
    ForgetTurn,
    /// What may wait at its close is closed by the kernel, on the ring's thread.
    CloseHere,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::NoReissue,
        Self::FinalBeforeMemory,
        Self::DiscardOnCancel,
        Self::ShortenResult,
        Self::SwallowTimer,
        Self::ForgetBacklog,
        Self::JudgeUnreaped,
        Self::SkipPoll,
        Self::PollNumber,
        Self::RetryAfterCancel,
        Self::ForgetWish,
        Self::KeepPosition,
        Self::ForgetOffset,
        Self::ForgetTurn,
        Self::CloseHere,
    ];
}

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
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NoReissue,
        Self::FinalBeforeMemory,
        Self::DiscardOnCancel,
        Self::ShortenResult,
        Self::SwallowTimer,
        Self::ForgetBacklog,
        Self::JudgeUnreaped,
    ];
}

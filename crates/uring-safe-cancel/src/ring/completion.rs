//! What a ring gives back.

use crate::kernel::WorkerLimit;
use crate::machine::Verdict;
use crate::operation::Operation;
use crate::tag::Key;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::time::Duration;

/// An operation that ended, as its client gets it.
#[derive(Debug)]
pub struct Completion<C> {
    /// Which operation.
    pub key: Key,
    /// What the client gave to know it by.
    pub client: C,
    /// How it ended.
    pub verdict: Verdict,
    /// How many cancels were issued.
    pub attempts: u32,
    /// Whether a cancel had been asked for (by its client or by its timeout).
    pub cancel_asked: bool,
    /// Whether its timeout asked first.
    pub timed_out: bool,
    /// The operation, with its memory; `None` if the kernel still holds it.
    pub operation: Option<Operation>,
    /// The descriptor that the kernel opened. Closed if it is dropped.
    pub opened: Option<OwnedFd>,
}

/// Why a ring did not take an operation.
#[derive(Debug)]
pub enum Refusal {
    /// The ring is closed or destroyed, or about to be.
    Closed,
    /// The kernel takes nothing of this ring any more, with this errno.
    Forbidden(i32),
    /// As many operations wait as may wait.
    QueueFull,
    /// The descriptor could not be duplicated (EBADF, EMFILE).
    Descriptor(io::Error),
    /// There is no worker for one open more that waits.
    Workers(WorkerLimit),
}

/// A refused operation, given back.
#[derive(Debug)]
pub struct Refused<C> {
    /// Why.
    pub refusal: Refusal,
    /// The operation.
    pub operation: Operation,
    /// The client's token.
    pub client: C,
}

/// An operation that outlived the policy's `stuck_after`; [`super::Ring::client`] tells whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckReport {
    /// Which operation.
    pub key: Key,
    /// The operation's name.
    pub operation: &'static str,
    /// The descriptor's number as the client knows it, if the operation has one.
    pub descriptor: Option<RawFd>,
    /// How many cancels were issued.
    pub attempts: u32,
    /// What the last answered one said.
    pub last_answer: Option<i32>,
    /// The time since its cancellation was asked for, as the policy has it.
    pub after: Duration,
}

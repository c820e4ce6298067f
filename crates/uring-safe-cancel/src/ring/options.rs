//! How a ring is made, and what an operation may ask for.

use crate::policy::CancelPolicy;
use crate::table::Limits;
use std::time::Duration;

/// The limits of one ring, each with the reason for its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// SQEs in the submission queue. 1024 (64 KiB) lets a batch of a thousand go with one system call.
    pub entries: u32,
    /// CQEs in the completion queue, which bounds what is in flight. 4096 (64 KiB) is more than a
    /// thread keeps busy, and a quarter of a megabyte less than what Linux would allow.
    pub completions: u32,
    /// Operations that may wait above those in flight. A million bounds the memory of a runaway loop
    /// (some hundred bytes each, and what they own), and no sane program gets there.
    pub queue_limit: u32,
    /// Bytes of core memory. One GiB of addresses; only pages that were used cost memory.
    pub arena_bytes: usize,
    /// How persistent cancels are.
    pub cancel: CancelPolicy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            entries: 1024,
            completions: 4096,
            queue_limit: 1 << 20,
            arena_bytes: 1 << 30,
            cancel: CancelPolicy::default(),
        }
    }
}

impl Options {
    pub(super) fn limits(&self, completions: u32) -> Limits {
        Limits { completions, waiting: self.queue_limit.min(super::MAX_WAITING) }
    }
}

/// What an operation may ask for beside its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// `IOSQE_ASYNC`: a worker thread of the kernel does it, and the submitting thread never copies. Ignored where
    /// the kernel's workers would spin ([`Kernel::way`](crate::kernel::Kernel::way)).
    pub asynchronous: bool,
    /// Cancels the operation after this time.
    pub timeout: Option<Duration>,
}

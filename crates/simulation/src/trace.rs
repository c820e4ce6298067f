//! What happened, as a hash (two runs of a seed must agree in it) and, if asked for, as text.

use rustc_hash::FxHasher;
use std::hash::{Hash, Hasher};
use uring_safe_cancel::machine::Verdict;
use uring_safe_cancel::Key;

/// One step of a history. No addresses and no descriptor numbers: those differ from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A ring begins.
    Life(u32),
    /// The client gives an operation (by its serial number) to the ring.
    Submit(u64, &'static str),
    /// The ring refused it.
    Refused(u64),
    /// The ring's memory has no room for an operation.
    NoMemory(usize),
    /// The client cancels.
    Cancel(Key),
    /// The client cancels so many at once.
    CancelMany(usize),
    /// The client flushes, with this limit.
    Flush(usize),
    /// What the flush came to: completions, and whether to flush again.
    Flushed(usize, bool),
    /// An SQE is queued: kind and identity.
    Queue(&'static str, u32, u64),
    /// The kernel takes an SQE.
    Take(&'static str, u32, u64),
    /// enter fails.
    Refuse(i32),
    /// The kernel reads or writes so many bytes for an operation.
    Execute(u32, u32),
    /// A CQE: `user_data`, result, more, notification.
    Post(u64, i32, bool, bool),
    /// The ring takes a CQE.
    Reap(u64, i32),
    /// The client gets an operation back.
    Settle(u64, Verdict),
    /// A report of a stuck operation.
    Stuck(Key, u32),
    /// The ring ends, by this.
    End(&'static str),
}

/// The hash, and whether to print.
#[derive(Default)]
pub struct Trace {
    hasher: FxHasher,
    /// Whether each step is printed.
    pub print: bool,
}

impl Trace {
    /// A step at a time.
    pub fn note(&mut self, now: u64, step: Step) {
        (now, step).hash(&mut self.hasher);
        if self.print {
            println!("{:>16.6} ms  {step:?}", now as f64 / 1e6);
        }
    }

    /// The hash so far.
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({:016x})", self.hash())
    }
}

//! What is run.

use std::time::Duration;

/// With fewer a thread would write the eventfd that it reads.
pub const FEWEST_THREADS: usize = 3;

/// How the program behaves, whatever the mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What reports call it.
    pub name: &'static str,
    /// Threads, rings and eventfds: at least [`FEWEST_THREADS`].
    pub threads: usize,
    /// What each write adds to its eventfd: with 0 no read can ever complete.
    pub add: u64,
    /// `IOSQE_ASYNC` on the two reads.
    pub asynchronous: bool,
    /// The longest of the random spins before the cancels. Zero: none at all.
    pub spin: Duration,
    /// When it ends.
    pub limit: Limit,
}

/// When a run ends: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Rounds of each thread.
    pub rounds: Option<u64>,
    /// The time from the start of all threads.
    pub time: Option<Duration>,
    /// With the round in which an operation of any thread counted as lost.
    pub until_lost: bool,
}

/// What is made of a cancel's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One cancel is trusted. A read without a CQE one second later counts as lost, and is then freed
    /// by further cancels, so that the run goes on.
    Raw,
    /// The library: cancels are issued again until the CQE comes.
    Safe,
}

impl Mode {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Safe => "safe",
        }
    }
}

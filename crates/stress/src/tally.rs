//! What a thread has counted, and the sum of all.

use crate::histogram::Histogram;
use uring_safe_cancel::Stats;

/// A read that had no CQE in time after its cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Which thread's.
    pub thread: usize,
    /// In which of its rounds, from 0.
    pub round: u64,
    /// Which eventfd it read.
    pub eventfd: usize,
    /// What the last answered cancel said: 0 or more, or a negative errno.
    pub answer: Option<i32>,
}

/// How many to show one by one.
const SHOWN: usize = 10;

/// Lost reads by their cancel's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostBy {
    /// Zero or more: found.
    pub found: u64,
    /// -ENOENT.
    pub not_found: u64,
    /// -EALREADY.
    pub already: u64,
    /// Anything else, or no answer at all.
    pub other: u64,
}

impl LostBy {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.found + self.not_found + self.already + self.other
    }
}

/// Counters of one thread, or of all.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Rounds that were finished.
    pub rounds: u64,
    /// Operations that were started.
    pub submitted: u64,
    /// Operations that ended, however, except those that were given up.
    pub settled: u64,
    /// Operations that the kernel did not let go in a minute.
    pub given_up: u64,
    /// Reads that delivered.
    pub reads_completed: u64,
    /// The sum of what they delivered.
    pub sum_read: u64,
    /// The sum of what the writes added.
    pub sum_written: u64,
    /// Operations that ended in any other way than these, and the first one's error.
    pub failed: (u64, Option<String>),
    /// Lost reads by answer.
    pub lost: LostBy,
    /// The first of them.
    pub lost_shown: Vec<Lost>,
    /// From the cancel to the end of the reads that it ended.
    pub latency: Histogram,
    /// What the rings counted.
    pub ring: Stats,
}

impl Tally {
    /// Counts a lost read.
    pub fn lose(&mut self, lost: Lost) {
        let counter = match lost.answer {
            Some(0..) => &mut self.lost.found,
            Some(answer) if answer == -libc::ENOENT => &mut self.lost.not_found,
            Some(answer) if answer == -libc::EALREADY => &mut self.lost.already,
            Some(_) | None => &mut self.lost.other,
        };
        *counter += 1;
        if self.lost_shown.len() < SHOWN {
            self.lost_shown.push(lost);
        }
    }

    /// Counts an operation that ended with an error that nobody asked for.
    pub fn fail(&mut self, error: String) {
        self.failed.0 += 1;
        self.failed.1.get_or_insert(error);
    }

    /// Adds another thread's.
    pub fn merge(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.submitted += other.submitted;
        self.settled += other.settled;
        self.given_up += other.given_up;
        self.reads_completed += other.reads_completed;
        self.sum_read += other.sum_read;
        self.sum_written += other.sum_written;
        self.failed.0 += other.failed.0;
        self.failed.1 = self.failed.1.take().or(other.failed.1);
        self.lost.found += other.lost.found;
        self.lost.not_found += other.lost.not_found;
        self.lost.already += other.lost.already;
        self.lost.other += other.lost.other;
        self.lost_shown.extend(other.lost_shown);
        self.lost_shown.truncate(SHOWN);
        self.latency.merge(&other.latency);
        merge_stats(&mut self.ring, &other.ring);
    }
}

fn merge_stats(sum: &mut Stats, other: &Stats) {
    sum.submitted += other.submitted;
    sum.completed += other.completed;
    sum.in_flight += other.in_flight;
    sum.queued += other.queued;
    sum.cancels_requested += other.cancels_requested;
    sum.cancel_attempts += other.cancel_attempts;
    sum.reissues += other.reissues;
    sum.rescued += other.rescued;
    sum.stuck += other.stuck;
    sum.max_attempts = sum.max_attempts.max(other.max_attempts);
    sum.discarded += other.discarded;
    sum.refusals += other.refusals;
    sum.answers.found += other.answers.found;
    sum.answers.not_found += other.answers.not_found;
    sum.answers.already += other.answers.already;
    sum.answers.other += other.answers.other;
}

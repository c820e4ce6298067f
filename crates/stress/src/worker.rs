//! What each thread does.

use crate::progress::Progress;
use crate::scenario::{Mode, Scenario};
use crate::tally::{Lost, Tally};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use uring_safe_cancel::tokio::{Buffer, Error, File, Operation, Ring, StartError, Transfer};
use uring_safe_cancel::{CancelPolicy, Options, StuckReport};

/// When a read whose cancel was answered, and which has no CQE, counts as lost in mode raw.
const LOST_AFTER: Duration = Duration::from_secs(1);
/// The pause between the cancels that free a lost read.
const FREE_AGAIN: Duration = Duration::from_millis(10);
/// When an operation that nothing frees is given up, so that the run ends and can say so.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// The ring of a thread.
///
/// # Errors
///
/// If there is none to be had here.
pub fn ring(mode: Mode) -> Result<Ring, StartError> {
    let cancel = match mode {
        Mode::Raw => {
            CancelPolicy { reissue: false, stuck_after: LOST_AFTER, ..CancelPolicy::default() }
        }
        Mode::Safe => CancelPolicy::default(),
    };
    // A round has three operations: small queues are enough, and many threads fit into the limit of
    // locked memory.
    let options = Options { entries: 16, completions: 64, cancel, ..Options::default() };
    Ring::new(options)
}

/// One thread's part of a run.
pub struct Worker<'a> {
    /// The number of the thread.
    pub thread: usize,
    /// What to do.
    pub scenario: &'a Scenario,
    /// How cancels are treated.
    pub mode: Mode,
    /// Those of all threads.
    pub eventfds: &'a [File],
    /// Whom to tell.
    pub progress: &'a Progress,
}

/// A read under way.
struct Reading {
    operation: Operation<Transfer<Buffer>>,
    eventfd: usize,
    is_over: bool,
    is_lost: bool,
}

impl Worker<'_> {
    /// Runs rounds on `ring` until the scenario's limit, counted from `begun`.
    pub async fn run(&self, ring: Ring, begun: Instant) -> Tally {
        let mut tally = Tally::default();
        let limit = self.scenario.limit;
        while limit.rounds.is_none_or(|rounds| tally.rounds < rounds)
            && limit.time.is_none_or(|time| begun.elapsed() < time)
            && !(limit.until_lost && self.progress.has_lost())
        {
            if let Err(error) = self.round(&ring, &mut tally).await {
                tally.fail(error.to_string());
                break;
            }
            if tally.given_up > 0 {
                break;
            }
            tally.rounds += 1;
            self.progress.round();
        }
        ring.destroy(LOST_AFTER).await;
        tally.ring = ring.stats();
        tally
    }

    async fn round(&self, ring: &Ring, tally: &mut Tally) -> Result<(), Error> {
        let count = self.eventfds.len();
        let place = |offset| (self.thread + offset) % count;
        let fast = if self.scenario.asynchronous { ring.asynchronous() } else { ring.clone() };
        let added = self.scenario.add;
        let start = |eventfd: usize| -> Result<Reading, Error> {
            let operation = fast.read(&self.eventfds[eventfd], ring.alloc(8)?);
            Ok(Reading { operation, eventfd, is_over: false, is_lost: false })
        };
        let mut reads = [start(place(0))?, start(place(1))?];
        let bytes = ring.alloc_from(&added.to_ne_bytes())?;
        let write = ring.write(&self.eventfds[place(2)], bytes);
        tally.submitted += 3;

        match write.await.0 {
            Ok(8) => tally.sum_written += added,
            Ok(count) => tally.fail(format!("a write wrote {count} bytes of 8")),
            Err(error) => tally.fail(error.to_string()),
        }
        tally.settled += 1;
        self.spin();
        let cancelled = Instant::now();
        reads.iter().for_each(|read| read.operation.request_cancel());
        let settle = self.settle(ring, &mut reads, cancelled, tally);
        if tokio::time::timeout(GIVE_UP_AFTER, settle).await.is_err() {
            self.give_up(ring, reads, tally).await;
        }
        Ok(())
    }

    fn spin(&self) {
        if !self.scenario.spin.is_zero() {
            let most = u64::try_from(self.scenario.spin.as_nanos()).unwrap_or(u64::MAX);
            let time = Duration::from_nanos(fastrand::u64(0..=most));
            let begun = Instant::now();
            while begun.elapsed() < time {
                std::hint::spin_loop();
            }
        }
    }

    /// Awaits both reads, and frees those that are lost.
    async fn settle(
        &self,
        ring: &Ring,
        [first, second]: &mut [Reading; 2],
        cancelled: Instant,
        tally: &mut Tally,
    ) {
        while !(first.is_over && second.is_over) {
            tokio::select! {
                (result, buffer) = &mut first.operation, if !first.is_over => {
                    first.is_over = true;
                    finish(tally, result, &buffer, cancelled);
                }
                (result, buffer) = &mut second.operation, if !second.is_over => {
                    second.is_over = true;
                    finish(tally, result, &buffer, cancelled);
                }
                reports = ring.stuck() => {
                    for report in reports {
                        for read in [&mut *first, &mut *second] {
                            self.lose(read, &report, tally);
                        }
                    }
                }
                () = sleep(FREE_AGAIN), if first.is_lost || second.is_lost => {
                    for read in [&*first, &*second] {
                        if read.is_lost && !read.is_over {
                            read.operation.request_cancel();
                        }
                    }
                }
            }
        }
    }

    fn lose(&self, read: &mut Reading, report: &StuckReport, tally: &mut Tally) {
        if read.is_over || read.operation.key() != Some(report.key) {
            return;
        }
        let (thread, round, eventfd) = (self.thread, tally.rounds, read.eventfd);
        tally.lose(Lost { thread, round, eventfd, answer: report.last_answer });
        self.progress.lose();
        // In mode safe the library goes on by itself.
        if self.mode == Mode::Raw {
            read.is_lost = true;
            read.operation.request_cancel();
        }
    }

    async fn give_up(&self, ring: &Ring, reads: [Reading; 2], tally: &mut Tally) {
        ring.destroy(LOST_AFTER).await;
        for read in reads {
            if !read.is_over {
                match read.operation.await.0 {
                    Err(Error::Stuck) => tally.given_up += 1,
                    _ => tally.settled += 1,
                }
            }
        }
    }
}

fn finish(tally: &mut Tally, result: Result<usize, Error>, buffer: &[u8], cancelled: Instant) {
    tally.settled += 1;
    match (result, buffer.try_into()) {
        (Ok(8), Ok(bytes)) => {
            tally.reads_completed += 1;
            tally.sum_read += u64::from_ne_bytes(bytes);
        }
        (Err(Error::Cancelled), _) => tally.latency.record(cancelled.elapsed()),
        (Err(error), _) => tally.fail(error.to_string()),
        (Ok(count), _) => tally.fail(format!("a read returned {count} bytes of 8")),
    }
}

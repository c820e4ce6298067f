//! An SQE is queued: is the ring allowed to?

use crate::coverage::Fault;
use crate::record::{Asks, Kind, Record, Stage};
use crate::record::{CANCEL_RESERVE, TIMER_RESERVE};
use crate::trace::Step;
use crate::world::World;
use crate::Sabotage;
use std::os::fd::RawFd;
use uring_safe_cancel::kernel::decoded::{Decoded, Queued};
use uring_safe_cancel::kernel::QueueFull;
use uring_safe_cancel::tag::{Kind as TagKind, Tag};
use uring_safe_cancel::Key;

/// The name of an SQE, for the trace.
pub(super) fn name(work: &Decoded) -> &'static str {
    match work {
        Decoded::Nop => "nop",
        Decoded::Read { .. } => "read",
        Decoded::Write { .. } => "write",
        Decoded::Readv { .. } => "readv",
        Decoded::Writev { .. } => "writev",
        Decoded::Poll { .. } => "poll",
        Decoded::Sleep { .. } => "sleep",
        Decoded::Pause { .. } => "pause",
        Decoded::Open { .. } => "open",
        Decoded::Close { .. } => "close",
        Decoded::Sync { .. } => "sync",
        Decoded::Cancel { .. } => "cancel",
        Decoded::Timer { .. } => "timer",
        Decoded::TimerUpdate { .. } => "timer update",
    }
}

impl World {
    /// Puts an SQE into the queue.
    pub(super) fn queue(&mut self, submission: &Queued) -> Result<(), QueueFull> {
        let submission = &self.sabotaged(*submission);
        assert!(!self.is_over, "an SQE of a ring that is gone");
        if self.submissions.len() >= self.configuration.entries as usize {
            self.coverage.count(Fault::SubmissionQueueFull);
            return Err(QueueFull);
        }
        let key = submission.tag.key();
        self.note(Step::Queue(name(&submission.work), key.slot(), key.generation()));
        match submission.tag.kind() {
            TagKind::Target => self.queue_target(submission),
            TagKind::Cancel => self.queue_cancel(submission),
            TagKind::Timer => {
                assert!(matches!(submission.work, Decoded::Timer { .. }));
                assert_eq!(self.timer_on_the_way, None, "clause 7: a second timer");
                self.timer_on_the_way = Some(submission.tag);
            }
            TagKind::TimerUpdate => {
                let before = self.update_on_the_way;
                assert_eq!(before, None, "clause 7: a second change of the timer");
                self.update_on_the_way = Some(submission.tag);
            }
        }
        assert!(
            self.on_the_way() <= self.configuration.completions,
            "clause 7: {} targets, {} cancels and the timer could overflow {} CQEs",
            self.targets,
            self.cancels,
            self.configuration.completions
        );
        self.submissions.push_back(*submission);
        Ok(())
    }

    fn queue_target(&mut self, submission: &Queued) {
        let key = submission.tag.key();
        let is_new = self
            .slots
            .get(key.slot() as usize)
            .is_none_or(|record| record.generation != key.generation());
        if is_new {
            assert!(self.submitting.is_some(), "clause 6: nobody knows {key:?}");
            self.bind(key);
        }
        self.targets += 1;
        let in_flight = self.configuration.completions - CANCEL_RESERVE - TIMER_RESERVE;
        assert!(self.targets <= in_flight, "clause 7: the reserve is used for operations");
        self.check_turn(key);
        let slot = key.slot();
        let asynchronous = submission.asynchronous;
        let record = &mut self.slots[slot as usize];
        assert!(record.is_live(), "clause 1: submitted after it settled: {record:?}");
        assert_eq!(record.stage, Stage::Away, "clause 6: submitted while it is on its way");
        assert_eq!(record.attempts, 0, "clause 4: submitted again after a cancel: {record:?}");
        assert_eq!(record.asked_at, None, "clause 4: submitted although cancelled: {record:?}");
        assert_eq!(record.told, None, "submitted, although its result is known: {record:?}");
        if record.submissions == 0 {
            assert_eq!(asynchronous, record.is_for_worker(), "IOSQE_ASYNC of {record:?}");
        } else {
            assert_ne!(record.kind, Kind::Close, "clause 6: a close is submitted twice");
            let asks = record.next();
            let asks = asks.unwrap_or_else(|| panic!("clause 1: submitted again: {record:?}"));
            let is_refused = record.is_refused();
            self.coverage.count(match (is_refused, asks) {
                (true, _) => Fault::ResubmittedPlain,
                (false, Asks::Attempt) => Fault::Resubmitted,
                (false, Asks::Poll) => Fault::Polled,
                (false, Asks::Pause(_)) => Fault::Paused,
            });
            let is_attempt = asks == Asks::Attempt;
            let was_attempt = record.asks == Asks::Attempt;
            let for_worker = record.needs_worker() || was_attempt && record.asynchronous;
            let expected = is_attempt && for_worker && !is_refused;
            assert_eq!(asynchronous, expected, "clause 4: IOSQE_ASYNC of {record:?}");
            if was_attempt && !is_attempt {
                record.misses += 1;
            }
            record.asks = asks;
        }
        record.submissions += 1;
        record.followed = false;
        record.asynchronous = asynchronous;
        record.stage = Stage::Queued;
        record.tag = submission.tag.user_data();
        record.done = 0;
        record.posted_at = None;
        record.count = None;
        record.error = 0;
        record.is_executed = false;
        if record.kind == Kind::Close && record.is_elsewhere {
            // A thread has it.
            assert!(self.closing.remove(&record.closes), "clause 6: closed twice");
            self.coverage.count(Fault::ClosedElsewhere);
        }
        let own = record.target.map(|target| target.number);
        match (record.asks, submission.work) {
            (Asks::Attempt, work) => {
                let (number, pointed) = described(record, &work);
                if record.submissions == 1 {
                    record.is_borrowed = own == number && !record.is_held;
                }
                record.number = number;
                record.pointed = pointed;
                record.attempt = Some(work);
            }
            (Asks::Poll, Decoded::Poll { descriptor, events }) => {
                let wanted = if record.kind.writes() { libc::POLLOUT } else { libc::POLLIN };
                assert_eq!(events, wanted as u32, "clause 2: a poll for nothing: {record:?}");
                let is_kept = own != Some(descriptor) || record.is_held;
                assert!(is_kept, "clause 3: a number is polled that may be closed: {record:?}");
                record.number = Some(descriptor);
            }
            (Asks::Pause(expected), Decoded::Pause { number }) => {
                assert_eq!(number, expected, "clause 2: another pause: {record:?}");
            }
            (_, work) => panic!("clause 2: {work:?} before the poll of {record:?}"),
        }
        for (address, _) in pieces(record) {
            let other = self.in_use.insert(address, slot);
            assert_eq!(other, None, "clause 3: memory that the kernel still has");
        }
    }

    /// Operations go in the order in which they were submitted, and so do those at one position.
    fn check_turn(&mut self, key: Key) {
        let record = &self.slots[key.slot() as usize];
        let serial = record.serial;
        match record.line() {
            Some(line) => {
                let running = self.lines.running.insert(line, key.slot());
                assert_eq!(running, None, "clause 7: two operations in {line:?}");
                let last = self.lines.last.entry(line).or_default();
                assert!(serial >= *last, "clause 7: {serial} after {last} in {line:?}");
                *last = serial;
                self.take_position(key.slot());
            }
            None if record.submissions == 0 => {
                let last = self.last_in_queue;
                assert!(serial > last, "clause 7: {serial} after {last}, which came later");
                self.last_in_queue = serial;
            }
            None => {}
        }
    }

    /// What a broken library would have submitted.
    fn sabotaged(&self, mut submission: Queued) -> Queued {
        let (Some(sabotage), TagKind::Target) = (self.sabotage, submission.tag.kind()) else {
            return submission;
        };
        let record = self.slots.get(submission.tag.key().slot() as usize);
        let is_polled = |record: &&Record| record.next() == Some(Asks::Poll);
        let is_new = self.submitting.as_ref();
        let at_position = is_new.or(record).is_some_and(|record| record.at_position);
        match (sabotage, record.filter(is_polled), &mut submission.work) {
            (Sabotage::SkipPoll, Some(record), Decoded::Poll { .. }) => {
                submission.work = record.attempt.unwrap_or(submission.work);
            }
            (Sabotage::PollNumber, Some(record), Decoded::Poll { descriptor, .. }) => {
                *descriptor = record.target.map_or(*descriptor, |target| target.number);
            }
            (
                Sabotage::ForgetOffset,
                _,
                Decoded::Read { offset, .. }
                | Decoded::Write { offset, .. }
                | Decoded::Readv { offset, .. }
                | Decoded::Writev { offset, .. },
            ) if at_position => *offset = u64::MAX,
            _ => {}
        }
        submission
    }

    fn queue_cancel(&mut self, submission: &Queued) {
        let key = submission.tag.key();
        let target = Tag::new(TagKind::Target, key);
        assert_eq!(submission.work, Decoded::Cancel { target }, "clause 6: a cancel of another");
        let (now, draining) = (self.now, self.draining);
        let policy = self.configuration.options.cancel.clone();
        let record = self.record(key);
        assert_ne!(record.stage, Stage::Away, "clause 6: a cancel of what the kernel has not");
        assert_eq!(record.cancel, Stage::Away, "clause 7: a second cancel on the way");
        assert_ne!(record.kind, Kind::Close, "a close is cancelled");
        let timeout = record.timeout.map(|timeout| timeout.as_nanos() as u64);
        let has_expired =
            timeout.is_some_and(|timeout| now >= record.submitted_at.saturating_add(timeout));
        let is_wanted = record.asked_at.is_some() || has_expired || draining;
        assert!(is_wanted, "a cancel that nobody asked for: {record:?}");
        if record.attempts > 0 {
            let delay = crate::record::delay(&policy, record.attempts);
            let early = now < record.attempted_at.saturating_add(delay);
            assert!(!early, "a cancel issued again before its delay was over: {record:?}");
        }
        record.attempts += 1;
        record.attempted_at = now;
        record.retry_from = None;
        record.cancel = Stage::Queued;
        record.cancel_tag = submission.tag.user_data();
        let attempts = record.attempts;
        self.reissued += u64::from(attempts > 1);
        self.most_attempts = self.most_attempts.max(attempts);
        self.cancels += 1;
        self.cancels_queued += 1;
        self.coverage.cancels += 1;
        self.attempted.push(key.slot());
    }
}

/// The addresses of what an operation shares with the kernel.
fn pieces(record: &Record) -> impl Iterator<Item = (usize, u32)> + '_ {
    let pointed = (record.pointed != 0).then_some((record.pointed, 1));
    record.parts.iter().copied().filter(|part| part.1 > 0).chain(pointed)
}

/// Checks that an SQE says what its client asked for. Returns its descriptor, and what it points to
/// beside the client's memory.
fn described(record: &Record, work: &Decoded) -> (Option<RawFd>, usize) {
    let first = record.parts.first().copied();
    let count = record.parts.len() as u32;
    let (kind, number, pointed, same) = match *work {
        Decoded::Nop => (Kind::Nop, None, 0, true),
        Decoded::Read { descriptor, address, length, offset } => {
            let same = (Some((address, length)), offset) == (first, record.wanted_offset());
            (Kind::Read, Some(descriptor), 0, same)
        }
        Decoded::Write { descriptor, address, length, offset } => {
            let same = (Some((address, length)), offset) == (first, record.wanted_offset());
            (Kind::Write, Some(descriptor), 0, same)
        }
        Decoded::Readv { descriptor, vectors, count: parts, offset } => {
            let same = (parts, offset) == (count, record.wanted_offset());
            (Kind::ReadVectored, Some(descriptor), vectors, same)
        }
        Decoded::Writev { descriptor, vectors, count: parts, offset } => {
            let same = (parts, offset) == (count, record.wanted_offset());
            (Kind::WriteVectored, Some(descriptor), vectors, same)
        }
        // Whose end the thread tells by it.
        Decoded::Poll { descriptor, events }
            if record.kind == Kind::Close && record.is_elsewhere =>
        {
            (Kind::Close, Some(descriptor), 0, events == libc::POLLIN as u32)
        }
        Decoded::Poll { descriptor, events } => {
            (Kind::Poll, Some(descriptor), 0, events == record.flags)
        }
        Decoded::Sleep { timespec } => (Kind::Sleep, None, timespec, true),
        Decoded::Open { path, flags, mode } => {
            let same = flags == record.flags as i32 | libc::O_CLOEXEC && mode == 0o600;
            (Kind::Open, None, path, same)
        }
        Decoded::Close { descriptor } => {
            let same = descriptor == record.closes && !record.is_elsewhere;
            (Kind::Close, None, 0, same)
        }
        Decoded::Sync { descriptor, data_only } => {
            (Kind::Sync, Some(descriptor), 0, data_only == (record.flags != 0))
        }
        Decoded::Pause { .. }
        | Decoded::Cancel { .. }
        | Decoded::Timer { .. }
        | Decoded::TimerUpdate { .. } => {
            panic!("clause 6: {work:?} with the tag of an operation")
        }
    };
    assert!(kind == record.kind && same, "{work:?} is not what was asked for: {record:?}");
    (number, pointed)
}

//! An operation comes back: is that what the contract promises?

use super::{Client, Kept};
use crate::coverage::Fault;
use crate::kernel::nanoseconds;
use crate::pattern::UNTOUCHED;
use crate::record::{is_interruption, Asks, Kind, Record, Stage, MOST_INTERRUPTIONS};
use crate::trace::Step;
use uring_safe_cancel::{Completion, Verdict};

/// Operations whose memory the client keeps, at most.
const MOST_KEPT: usize = 32;
/// Opened descriptors that it keeps, at most.
const MOST_OPENED: usize = 8;

impl Client {
    pub(super) fn settle(&mut self, completion: Completion<u64>, stage: Stage) {
        let Completion { key, client, verdict, .. } = completion;
        // Descriptor numbers differ from run to run.
        let told = completion.opened.as_ref().map_or(verdict, |_| Verdict::Completed(0));
        self.world().note(Step::Settle(client, told));
        self.settled += 1;
        {
            let mut world = self.world.borrow_mut();
            let (now, draining) = (world.now, world.draining);
            let record = world.record(key);
            assert_eq!(record.serial, client, "clause 6: another operation's client");
            assert!(!record.settled, "clause 1: settled twice: {record:?}");
            check_flags(record, &completion, now);
            check_verdict(record, &completion, stage);
            record.settled = true;
            record.given_up = verdict == Verdict::Stuck;
            let submissions = record.submissions;
            // A result that came in the flush that gave up is too late.
            let is_late = record.given_up && record.stage == Stage::Away;
            let is_attempt = record.asks == Asks::Attempt;
            let late_bytes = match record.count {
                Some(count) if is_late && is_attempt && record.kind.reads() => count as u64,
                _ => 0,
            };
            let waited = !is_attempt && verdict == Verdict::Cancelled;
            let is_worn_out = verdict == Verdict::Failed(libc::EINTR) && record.is_worn_out();
            let was_late = draining && submissions > 0 && verdict != Verdict::Stuck;
            world.delivered -= late_bytes;
            if is_late {
                world.forget_move(key);
            }
            if waited {
                world.coverage.count(Fault::WaitCancelled);
            }
            if is_worn_out {
                world.coverage.count(Fault::StormEnded);
            }
            if completion.timed_out {
                world.coverage.count(Fault::TimedOut);
            }
            if was_late {
                world.coverage.count(Fault::DrainedLate);
            }
            if verdict != Verdict::Stuck {
                world.count_settled(completion.attempts);
                world.opened.retain(|&(serial, _)| serial != client);
            }
        }
        self.past.push(key);
        self.rescued += u64::from(completion.attempts > 1 && verdict != Verdict::Stuck);
        if verdict == Verdict::Stuck {
            self.count(Fault::GivenUp);
            let deadline = self.drain_deadline.expect("clause 3: given up without destroy");
            assert!(self.now() >= deadline, "clause 3: given up before the time to drain was over");
            let mut world = self.world.borrow_mut();
            let record = world.record(key);
            assert!(!record.was_over_by(deadline), "clause 4: over, and given up: {record:?}");
            return;
        }
        self.check_bytes(&completion);
        self.take_back(completion);
    }

    fn check_bytes(&mut self, completion: &Completion<u64>) {
        let mut world = self.world.borrow_mut();
        let record = world.record(completion.key);
        let count = match completion.verdict {
            Verdict::Completed(count) => count as usize,
            _ => 0,
        };
        if record.kind.writes() {
            assert_eq!(content(record, record.length as usize, false), None, "{record:?}");
            return;
        }
        if !record.kind.reads() {
            return;
        }
        let wrong = content(record, count, true);
        assert_eq!(wrong, None, "clause 3: wrong bytes read, from here: {record:?}");
        let is_dropped = record.dropped;
        if !is_dropped {
            self.received += count as u64;
            return;
        }
        self.discarded += count as u64;
        if count > 0 {
            world.coverage.count(Fault::DiscardedBytes);
        }
    }

    /// Keeps what came back, or lets it go.
    fn take_back(&mut self, completion: Completion<u64>) {
        let mut world = self.world.borrow_mut();
        let keep = world.configuration.client.keep.happens(&mut self.random);
        let record = world.record(completion.key);
        let (held, kind, dropped) = (record.held, record.kind, record.dropped);
        let count = match completion.verdict {
            Verdict::Completed(count) if kind.reads() => Some(count as usize),
            _ => kind.writes().then_some(record.length as usize),
        };
        let pattern = if kind.reads() { record.incoming() } else { record.outgoing() };
        let content = count.map(|count| (pattern, count));
        let parts = std::mem::take(&mut record.parts);
        let was_asked = record.asked_at.is_some();
        if kind == Kind::Close && record.submissions == 0 {
            world.closed_by_ring(completion.key);
        }
        if completion.opened.is_some() && was_asked {
            world.coverage.count(Fault::OpenedAfterCancel);
        }
        drop(world);
        // As tokio's futures count it.
        self.world().ready.remove(&completion.key);
        let has_result = matches!(completion.verdict, Verdict::Completed(_) | Verdict::Failed(_));
        if dropped && has_result {
            self.ring.count_discarded();
            self.discards += 1;
        }
        if let (Some(opened), false) = (completion.opened, dropped) {
            if self.files.opened.len() < MOST_OPENED {
                self.files.opened.push(opened);
            }
        }
        let operation = completion.operation.expect("an operation that is not stuck comes back");
        if keep && self.kept.len() < MOST_KEPT {
            self.kept.push_back(Kept { operation, held, parts, content });
        } else {
            self.held -= held;
        }
    }

    /// Lets go of the oldest memory that it kept.
    pub(super) fn let_go(&mut self, count: usize) {
        for _ in 0..count {
            let Some(Kept { operation, held, parts, content }) = self.kept.pop_front() else {
                return;
            };
            if let Some((pattern, mut left)) = content {
                let mut position = 0;
                for (address, length) in parts {
                    let length = left.min(length as usize);
                    // SAFETY: the operation, and with it the memory, is still the client's.
                    let bytes = unsafe { std::slice::from_raw_parts(address as *const u8, length) };
                    let wrong = pattern.mismatch(position, bytes);
                    assert_eq!(wrong, None, "clause 3: the client's memory was overwritten");
                    position += length;
                    left -= length;
                }
            }
            drop(operation);
            self.held -= held;
        }
    }

    /// Reports of operations that are stuck.
    pub(super) fn take_reports(&mut self) {
        let reports = self.ring.take_stuck_reports();
        self.reported += reports.len() as u64;
        let mut world = self.world.borrow_mut();
        let (now, draining) = (world.now, world.draining);
        let stuck_after = world.configuration.options.cancel.stuck_after;
        for report in reports {
            world.coverage.count(Fault::ReportedStuck);
            world.note(Step::Stuck(report.key, report.attempts));
            let record = world.record(report.key);
            assert!(!record.reported, "clause 2: reported twice: {record:?}");
            record.reported = true;
            assert_ne!(record.submissions, 0, "stuck, but never submitted");
            let timed_out = record.timeout.map(nanoseconds);
            let since_timeout = timed_out.map(|time| record.submitted_at.saturating_add(time));
            let asked_at = [record.asked_at, since_timeout].into_iter().flatten().min();
            let since = asked_at.unwrap_or(if draining { 0 } else { u64::MAX });
            let is_due = now >= since.saturating_add(nanoseconds(stuck_after));
            assert!(is_due, "clause 2: reported too early: {record:?}");
            let due = since.saturating_add(nanoseconds(stuck_after));
            assert!(!record.was_over_by(due), "clause 2: over, and reported as stuck: {record:?}");
            assert_eq!(report.operation, record.name());
            assert_eq!(report.descriptor, record.target.map(|target| target.number));
            assert_eq!(report.after, stuck_after);
            assert!(report.attempts <= record.attempts);
        }
    }
}

/// Where the memory of a read or write is not what it must be: `count` bytes of its own, and, of a read,
/// nothing else.
fn content(record: &Record, count: usize, is_read: bool) -> Option<usize> {
    let pattern = if is_read { record.incoming() } else { record.outgoing() };
    let (mut position, mut left) = (0, count);
    for &(address, length) in &record.parts {
        // SAFETY: the operation has come back with its memory, and the client has it until it drops it.
        let bytes = unsafe { std::slice::from_raw_parts(address as *const u8, length as usize) };
        let (own, rest) = bytes.split_at(left.min(bytes.len()));
        if let Some(wrong) = pattern.mismatch(position, own) {
            return Some(wrong);
        }
        if let Some(wrong) = rest.iter().position(|&byte| byte != UNTOUCHED) {
            return Some(position + own.len() + wrong);
        }
        left -= own.len();
        position += bytes.len();
    }
    assert_eq!(left, 0, "more bytes than asked for");
    None
}

fn check_flags(record: &Record, completion: &Completion<u64>, now: u64) {
    if record.asked_at.is_some() {
        assert!(completion.cancel_asked, "clause 2: a cancel was forgotten: {record:?}");
    } else if completion.cancel_asked {
        assert!(completion.timed_out, "a cancel that nobody asked for: {record:?}");
    }
    if completion.timed_out {
        let timeout = nanoseconds(record.timeout.expect("a timeout that nobody asked for"));
        let due = record.submitted_at.saturating_add(timeout);
        assert!(now >= due && completion.cancel_asked, "timed out too early: {record:?}");
        let due = record.timeout_from.map_or(due, |from| from.saturating_add(timeout));
        assert!(!record.was_over_by(due), "clause 4: over, and timed out: {record:?}");
    }
    assert_eq!(completion.attempts, record.attempts, "attempts of {record:?}");
    let is_stuck = completion.verdict == Verdict::Stuck;
    assert_eq!(completion.operation.is_none(), is_stuck, "clause 3: {record:?}");
    let has_opened =
        record.kind == Kind::Open && matches!(completion.verdict, Verdict::Completed(_));
    assert_eq!(completion.opened.is_some(), has_opened, "clause 5: {record:?}");
}

fn check_verdict(record: &Record, completion: &Completion<u64>, stage: Stage) {
    let Completion { verdict, cancel_asked, .. } = *completion;
    if verdict == Verdict::Stuck {
        assert_ne!(stage, Stage::Away, "clause 3: the kernel has let go of {record:?}");
        return;
    }
    assert_eq!(stage, Stage::Away, "clause 1: {verdict:?} before the final CQE: {record:?}");
    if record.submissions == 0 {
        let expected = match record.kind {
            Kind::Close => Verdict::Completed(0),
            _ => match record.told {
                Some(count @ 0..) => Verdict::Completed(count),
                Some(error) => Verdict::Failed(-error),
                None => Verdict::Cancelled,
            },
        };
        assert_eq!(verdict, expected, "clause 1: never submitted: {record:?}");
        assert!(cancel_asked || record.kind == Kind::Close || record.told.is_some());
        return;
    }
    let expected = record.expected(cancel_asked);
    assert_eq!(Some(verdict), expected, "clause 4: {record:?}");
}

impl Record {
    /// As reports name it.
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Sync if self.flags != 0 => "fdatasync",
            kind => kind.name(),
        }
    }

    /// Whether it failed after too many interruptions.
    pub(super) fn is_worn_out(&self) -> bool {
        is_interruption(self.result()) && self.interruptions > MOST_INTERRUPTIONS
    }
}

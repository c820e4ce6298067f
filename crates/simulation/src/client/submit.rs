//! Submitting and cancelling.

use super::Client;
use crate::coverage::Fault;
use crate::record::Asks;
use crate::record::{Kind, Record, Stage};
use crate::record::{CANCEL_RESERVE, TIMER_RESERVE};
use crate::trace::Step;
use crate::Sabotage;
use std::time::Duration;
use uring_safe_cancel::{Extra, Key, Operation, Refusal};

/// What the ring must do with an operation.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    ClosedAtOnce,
    QueueFull,
    Closed,
}

impl Client {
    /// Submits a random operation. Whether the ring took it.
    pub(super) fn submit(&mut self) -> bool {
        let Some((operation, mut record)) = self.build() else { return false };
        let extra = self.extra();
        record.timeout = extra.timeout;
        record.wants_async = extra.asynchronous;
        record.submitted_at = self.now();
        self.tell(&mut record);
        let (serial, kind, held) = (record.serial, record.kind, record.held);
        let fate = self.fate(&record);
        self.world().note(Step::Submit(serial, kind.name()));
        self.world().submitting = Some(record);
        let pieces = self.ring.pending() * 2 + self.kept.len() * 2 + 4;
        self.most_pieces = self.most_pieces.max(pieces);
        match self.ring.submit(operation, extra, serial) {
            Ok(key) => {
                assert!(matches!(fate, Fate::Taken | Fate::ClosedAtOnce), "{fate:?}, but taken");
                self.accept(key, extra.timeout);
                if fate == Fate::ClosedAtOnce {
                    self.count(Fault::ClosedAtOnce);
                    let mut world = self.world();
                    world.closed_by_ring(key);
                    let is_flushed = world.submissions.is_empty() || world.has_refused;
                    assert!(is_flushed, "a close overtook what was called before it");
                }
                true
            }
            Err(refused) => {
                assert_eq!(refused.client, serial);
                let expected = match refused.refusal {
                    Refusal::QueueFull => Fate::QueueFull,
                    Refusal::Closed => Fate::Closed,
                    Refusal::Workers(limit) => panic!("no worker for {serial}: {limit}"),
                    Refusal::Forbidden(errno) => panic!("forbidden for ever: {errno}"),
                    Refusal::Descriptor(error) => panic!("no duplicate of {serial}: {error}"),
                };
                assert_eq!(fate, expected);
                self.refuse(&refused.operation, held);
                false
            }
        }
    }

    fn extra(&mut self) -> Extra {
        let world = self.world.borrow();
        let habits = &world.configuration.client;
        let timeout = habits.timeout.happens(&mut self.random).then(|| {
            let most = [0, 10_000, 1_000_000, 400_000_000, u64::MAX][self.random.usize(..5)];
            match most {
                // As long as can be said.
                u64::MAX => Duration::MAX,
                most => Duration::from_nanos(self.random.u64(..=most)),
            }
        });
        Extra { asynchronous: habits.asynchronous.happens(&mut self.random), timeout }
    }

    /// By the contract, clause 7.
    fn fate(&self, record: &Record) -> Fate {
        let stats = self.ring.stats();
        let world = self.world.borrow();
        let completions = world.configuration.completions;
        let most = completions - CANCEL_RESERVE - TIMER_RESERVE;
        let may_submit =
            stats.in_flight < most && stats.in_flight + world.cancels + TIMER_RESERVE < completions;
        let queue_limit = world.configuration.options.queue_limit;
        let has_room = stats.queued < queue_limit || (stats.in_flight < most && stats.queued == 0);
        if record.kind == Kind::Close && !(self.is_open && may_submit && has_room) {
            Fate::ClosedAtOnce
        } else if !self.is_open {
            Fate::Closed
        } else if has_room {
            Fate::Taken
        } else {
            Fate::QueueFull
        }
    }

    fn accept(&mut self, key: Key, timeout: Option<Duration>) {
        self.accepted += 1;
        self.is_dirty = true;
        self.live.push(key);
        let mut world = self.world.borrow_mut();
        world.bind(key);
        world.coverage.operations += 1;
        let record = world.record(key);
        let is_asked = record.way.is_some();
        let must_ask = record.target.is_some_and(|target| {
            let is_plain = crate::lines::is_plain(target.kind);
            record.told.is_none() && (record.wants_async || !is_plain)
        });
        assert!(is_asked || !must_ask, "clause 2: how it must run: {record:?}");
        let fault = match (record.told, record.stage, record.line()) {
            (Some(_), ..) => Some(Fault::Told),
            (None, Stage::Away, Some(_)) => Some(Fault::Parked),
            (None, Stage::Away, None) => Some(Fault::Waited),
            _ => None,
        };
        fault.into_iter().for_each(|fault| world.coverage.count(fault));
        // What a number means is believed until the end of the flush.
        let record = world.record(key);
        self.unlooked.extend(record.target.map(|target| target.file));
        if timeout.is_some() {
            world.timeouts.push(key);
        }
    }

    /// The ring gave an operation back.
    fn refuse(&mut self, operation: &Operation, held: usize) {
        self.held -= held;
        let mut world = self.world.borrow_mut();
        let serial = world.submitting.take().map_or(0, |record| record.serial);
        world.note(Step::Refused(serial));
        let fault = if self.is_open { Fault::Refused } else { Fault::RefusedClosed };
        world.coverage.count(fault);
        if let Operation::Close(close) = operation {
            assert!(world.closing.remove(&close.number()));
            crate::kernel::close(close.number());
        }
    }

    /// Asks for an operation's cancellation.
    pub(super) fn cancel(&mut self, key: Key) {
        self.world().note(Step::Cancel(key));
        let is_forgotten = {
            let world = self.world();
            let record = &world.slots[key.slot() as usize];
            let waits = record.asks != Asks::Attempt && record.generation == key.generation();
            world.sabotage == Some(Sabotage::ForgetWish) && waits && record.is_live()
        };
        let is_taken = is_forgotten || self.ring.cancel(key);
        self.is_dirty = true;
        let mut world = self.world.borrow_mut();
        let now = world.now;
        let record = &mut world.slots[key.slot() as usize];
        let is_live = record.generation == key.generation() && record.is_live();
        if !is_live {
            assert!(!is_taken, "clause 6: a stale key reached somebody");
            world.coverage.count(Fault::StaleCancel);
            return;
        }
        let may_be_ready = record.may_be_ready();
        if !is_taken {
            let is_close = record.kind == Kind::Close;
            assert!(is_close || may_be_ready, "clause 2: not to be cancelled: {record:?}");
            return;
        }
        assert_ne!(record.kind, Kind::Close, "a close was cancelled");
        assert_eq!(record.told, None, "what was over was cancelled");
        let fault = match (record.asked_at, record.stage) {
            (Some(_), _) => Some(Fault::RepeatedCancel),
            (None, Stage::Away) => Some(Fault::CancelledWaiting),
            (None, _) => None,
        };
        record.asked_at.get_or_insert(now);
        if let Some(fault) = fault {
            world.coverage.count(fault);
        }
    }

    /// Cancels every operation of a file's number, or all.
    pub(super) fn cancel_many(&mut self, number: Option<i32>) {
        let count = match number {
            Some(number) => self.ring.cancel_descriptor(number),
            None => self.ring.cancel_all(),
        };
        self.is_dirty = true;
        self.asked_many(number, Some(count));
        self.count(match number {
            Some(_) => Fault::CancelledDescriptor,
            None => Fault::CancelledAll,
        });
    }

    /// The ring was asked to cancel these; it said how many there were.
    pub(super) fn asked_many(&mut self, number: Option<i32>, count: Option<usize>) {
        let mut world = self.world.borrow_mut();
        let now = world.now;
        let (mut candidates, mut doubtful) = (0, 0);
        for record in &mut world.slots {
            let is_wanted = number.is_none() || record.target.map(|t| t.number) == number;
            // What was known without the kernel is over.
            let is_over = !record.is_live() || record.told.is_some();
            if is_over || record.kind == Kind::Close || !is_wanted {
                continue;
            }
            candidates += 1;
            doubtful += usize::from(record.may_be_ready());
            if !record.is_reaped() {
                record.asked_at.get_or_insert(now);
            }
        }
        if let Some(count) = count {
            world.note(Step::CancelMany(count));
            let fitting = candidates - doubtful..=candidates;
            assert!(fitting.contains(&count), "{count} cancelled, of {fitting:?}");
        }
    }

    /// The client wants an operation no longer.
    pub(super) fn drop_operation(&mut self, key: Key) {
        {
            let mut world = self.world.borrow_mut();
            let record = &mut world.slots[key.slot() as usize];
            if record.generation != key.generation() || !record.is_live() || record.dropped {
                return;
            }
            record.dropped = true;
            world.coverage.count(Fault::Dropped);
        }
        self.cancel(key);
    }
}

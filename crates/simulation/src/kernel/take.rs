//! The kernel takes an SQE.

use super::queue::name;
use crate::coverage::Fault;
use crate::record::{Asks, Kind, Stage};
use crate::trace::Step;
use crate::world::{Event, World};
use std::time::Duration;
use uring_safe_cancel::kernel::decoded::{Decoded, Queued};
use uring_safe_cancel::tag::Kind as TagKind;

/// The most cancels that an operation may need that is not silent for ever.
const MOST_CANCELS: u32 = 16;

impl World {
    pub(super) fn take(&mut self, submission: Queued) {
        let key = submission.tag.key();
        self.note(Step::Take(name(&submission.work), key.slot(), key.generation()));
        match (submission.tag.kind(), submission.work) {
            (TagKind::Cancel, _) => self.take_cancel(key.slot()),
            (TagKind::Timer, Decoded::Timer { deadline }) => {
                self.take_timer(submission.tag, deadline);
            }
            (TagKind::TimerUpdate, Decoded::TimerUpdate { timer, deadline }) => {
                self.take_update(submission.tag, timer, deadline);
            }
            (TagKind::TimerUpdate, Decoded::Cancel { target }) => {
                self.take_timer_cancel(submission.tag, target);
            }
            (TagKind::Target, _) => self.take_target(key.slot()),
            (kind, work) => panic!("clause 6: {work:?} with a tag of {kind:?}"),
        }
    }

    fn take_target(&mut self, slot: u32) {
        let record = &mut self.slots[slot as usize];
        assert_eq!(record.stage, Stage::Queued);
        record.stage = Stage::Taken;
        self.look_up(slot);
        self.look_at(slot);
        let habits = &self.configuration.kernel;
        let random = &mut self.random;
        let record = &mut self.slots[slot as usize];
        // A close neither hangs nor can be cancelled.
        let is_close = record.kind == Kind::Close;
        record.hangs = !is_close && habits.hang.happens(random);
        let may_be_silent = !is_close && !self.honest;
        let silent =
            may_be_silent && self.silent < habits.most_silent && habits.silent.happens(random);
        record.silent = silent;
        record.honoured_at = 1;
        while record.honoured_at < MOST_CANCELS && habits.lost.happens(random) {
            record.honoured_at += 1;
        }
        self.silent += u32::from(silent);
        let pause = match record.asks {
            Asks::Pause(number) => Some(uring_safe_cancel::machine::pause(number)),
            _ => None,
        };
        let time = pause.unwrap_or(record.time);
        let is_sleep = record.kind == Kind::Sleep || pause.is_some();
        if record.silent || record.hangs && !is_sleep {
            self.slots[slot as usize].awaited = 0;
            return;
        }
        let delay = if is_sleep { nanoseconds(time) } else { self.delay() };
        self.await_event(slot, delay, |awaited| Event::Proceed(slot, awaited));
    }

    /// The kernel looks a descriptor up when it takes the SQE, or later: it must mean the file of the call.
    pub(super) fn look_up(&mut self, slot: u32) {
        /// A system call for every operation would cost more than all the rest.
        const ONE_OF: u32 = 8;
        let record = &self.slots[slot as usize];
        let (Some(target), Some(number)) = (record.target, record.number) else { return };
        if record.is_trapped() || self.random.u32(..ONE_OF) != 0 {
            return;
        }
        let inode = super::access::inode(number);
        let record = &self.slots[slot as usize];
        assert_eq!(inode, Some(target.inode), "clause 6: another file's descriptor in {record:?}");
    }

    /// Now and until the final CQE, what an SQE points to must be there.
    pub(super) fn look_at(&mut self, slot: u32) {
        let record = &self.slots[slot as usize];
        match record.kind {
            Kind::ReadVectored | Kind::WriteVectored => {
                let vectors = super::access::vectors(record.pointed, record.parts.len());
                let mut parts = record.parts.iter().map(|&(at, length)| (at, length as usize));
                let same = vectors.into_iter().all(|vector| parts.next() == Some(vector));
                assert!(same, "clause 3: the vectors of {record:?} were overwritten");
            }
            Kind::Sleep if record.pointed != 0 => {
                let time = super::access::timespec(record.pointed);
                assert_eq!(time, record.time, "clause 3: the time of a sleep was overwritten");
            }
            Kind::Open => {
                let path = super::access::path(record.pointed);
                assert_eq!(path, record.serial, "clause 3: the path of an open was overwritten");
            }
            _ => {}
        }
    }

    /// Counts what an operation went through that has settled.
    pub(crate) fn count_settled(&mut self, attempts: u32) {
        if attempts > 1 {
            self.coverage.count(Fault::Rescued);
        }
        self.coverage.most_cancels = self.coverage.most_cancels.max(attempts);
    }
}

/// For the virtual clock.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

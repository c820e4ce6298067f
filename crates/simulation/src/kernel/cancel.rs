//! What cancels do, and what they answer: two things that have little to do with each other.

use crate::coverage::Fault;
use crate::record::{Asks, Stage, RESTARTS};
use crate::world::{Event, World};

/// What a cancel may answer, whether it worked or was lost.
const ANSWERS: [(i32, Fault); 7] = [
    (0, Fault::LostFound),
    (1, Fault::LostOne),
    (-libc::ENOENT, Fault::LostNotFound),
    (-libc::EALREADY, Fault::LostAlready),
    (-libc::ETIME, Fault::LostTime),
    (-libc::EINVAL, Fault::LostInvalid),
    (-libc::ENOMEM, Fault::LostNoMemory),
];

/// While the ring lives, what was silent ends after so many cancels: time is better spent on others.
const ENOUGH: u32 = 60;

impl World {
    pub(super) fn take_cancel(&mut self, slot: u32) {
        let (honest, draining) = (self.honest, self.draining);
        let (answer, lost) = ANSWERS[self.random.usize(..ANSWERS.len())];
        let record = &mut self.slots[slot as usize];
        assert_eq!(record.cancel, Stage::Queued);
        record.cancel = Stage::Taken;
        record.attempts_taken += 1;
        if record.stage != Stage::Taken {
            self.coverage.count(Fault::CancelTooLate);
        } else if record.is_executed {
            self.coverage.count(Fault::CancelMetResult);
        } else if record.silent && (record.attempts_taken < ENOUGH || honest || draining) {
            self.coverage.count(Fault::SilentForEver);
        } else if record.attempts_taken < record.honoured_at && !honest {
            self.coverage.count(lost);
        } else {
            self.honour(slot);
        }
        let delay = self.delay();
        if delay == 0 {
            self.answer(slot, answer);
        } else {
            self.schedule(delay, |_| Event::Answer(slot, answer));
        }
    }

    /// A cancel works: its target ends soon.
    fn honour(&mut self, slot: u32) {
        let habits = &self.configuration.kernel;
        let delay_first = self.random.bool();
        if habits.ends_otherwise.happens(&mut self.random) && !self.honest {
            // It ends as it would have, perhaps with a part of the bytes.
            self.end_with_result(slot);
            return;
        }
        let result = if self.random.u8(..4) == 0 && !self.honest {
            self.coverage.count(Fault::CancelledByInterruption);
            if self.random.bool() {
                -libc::EINTR
            } else {
                self.random.i32(RESTARTS)
            }
        } else {
            self.coverage.count(Fault::CancelledByCanceled);
            -libc::ECANCELED
        };
        // No other cancel changes that.
        self.slots[slot as usize].is_executed = true;
        let delay = if delay_first { self.delay() } else { 0 };
        if delay == 0 {
            self.post_final(slot, result, false);
        } else {
            self.await_event(slot, delay, |awaited| Event::Finish(slot, awaited, result));
        }
    }

    fn end_with_result(&mut self, slot: u32) {
        if self.random.u8(..4) == 0 {
            self.coverage.count(Fault::CancelledWithError);
            let errno = [libc::EIO, libc::EAGAIN, libc::EPIPE][self.random.usize(..3)];
            let delay = self.delay();
            self.slots[slot as usize].is_executed = true;
            self.await_event(slot, delay, |awaited| Event::Finish(slot, awaited, -errno));
            return;
        }
        let record = &self.slots[slot as usize];
        if record.length > 0 && record.asks == Asks::Attempt {
            self.coverage.count(Fault::CancelledWithBytes);
        }
        self.conclude(slot);
    }

    /// A cancel's own CQE comes.
    pub(super) fn answer(&mut self, slot: u32, result: i32) {
        let record = &mut self.slots[slot as usize];
        assert_eq!(record.cancel, Stage::Taken);
        record.cancel = Stage::Posted;
        let tag = record.cancel_tag;
        self.post(tag, result, false, false);
    }
}

//! The client at work: what it does next is chance, but it flushes as a program does, when it has submitted
//! something or is woken.

use super::Client;
use crate::coverage::Fault;
use crate::files::File;
use uring_safe_cancel::kernel::Nanoseconds;
use uring_safe_cancel::Key;

/// How long a client leaves a kernel alone that takes no SQEs.
pub(super) const PAUSE: Nanoseconds = 1_000_000;

impl Client {
    /// Submits so many operations, with all that goes with it.
    pub fn work(&mut self, operations: u32) {
        let enough = self.accepted + u64::from(operations);
        /// A hundred times what the slowest history needs.
        const MOST_STEPS: u64 = 20_000_000;
        // Refusals and full arenas end, but a bound tells of a client that gets nowhere.
        let mut steps = 0u64;
        while self.accepted < enough {
            self.act();
            self.rest();
            self.check_laws();
            steps += 1;
            assert!(steps < MOST_STEPS, "the client gets nowhere");
        }
    }

    fn act(&mut self) {
        let habits = self.world().configuration.client.clone();
        if self.ring.pending() < habits.population || self.random.u8(..32) == 0 {
            for _ in 0..self.random.usize(1..=habits.batch) {
                if !self.submit() {
                    break;
                }
                if habits.reuse_number.happens(&mut self.random) {
                    self.reuse_number();
                }
            }
        }
        if habits.cancel.happens(&mut self.random) {
            if let Some(key) = self.some_live() {
                self.cancel(key);
            }
        }
        if habits.drop.happens(&mut self.random) {
            if let Some(key) = self.some_live() {
                self.drop_operation(key);
            }
        }
        if habits.cancel_stale.happens(&mut self.random) {
            self.cancel_stale();
        }
        if habits.cancel_many.happens(&mut self.random) {
            let file = self.random.usize(..self.files.list.len());
            let number = self.random.bool().then(|| self.files.list[file].number);
            self.cancel_many(number);
        }
        if habits.reuse_number.happens(&mut self.random) {
            self.reuse_number();
        }
        if habits.large.happens(&mut self.random) {
            self.refuse_mapping();
        }
        if self.random.u8(..4) == 0 {
            self.let_go(1);
        }
    }

    /// An operation that has not settled.
    fn some_live(&mut self) -> Option<Key> {
        while !self.live.is_empty() {
            let index = self.random.usize(..self.live.len());
            let key = self.live[index];
            let record = &self.world.borrow().slots[key.slot() as usize];
            if record.generation == key.generation() && record.is_live() {
                return Some(key);
            }
            self.live.swap_remove(index);
        }
        None
    }

    fn cancel_stale(&mut self) {
        const MOST_PAST: usize = 256;
        if self.past.len() > MOST_PAST {
            self.past.drain(..MOST_PAST / 2);
        }
        if !self.past.is_empty() {
            let key = self.past[self.random.usize(..self.past.len())];
            self.cancel(key);
        }
    }

    /// Closes a number, and opens another file, by the same number unless the ring holds that descriptor.
    fn reuse_number(&mut self) {
        // What was submitted must have been flushed; and where a line may stand, the number must stay.
        let index = self.random.usize(..self.files.usable());
        let is_needed = self.unlooked.contains(&index);
        if is_needed || self.files.list[index].has_position {
            return;
        }
        let new = File::pipe(&mut self.random).expect("a pipe for the client");
        if self.files.replace(index, new) {
            self.count(Fault::NumberReused);
        }
        let file = &self.files.list[index];
        self.world.borrow_mut().know(index, file);
    }

    /// Flushes if there is a reason, or else waits for one.
    fn rest(&mut self) {
        let habits = self.world().configuration.client.clone();
        let pause = self.random.u64(..=habits.pause);
        self.pass(pause);
        let random = &mut self.random;
        if self.is_dirty || self.world.borrow().is_readable() {
            // A client that is busy with something else.
            if random.u8(..8) == 0 {
                return;
            }
        } else if self.again {
            self.pass(PAUSE);
        } else if habits.spurious.happens(random) {
            self.count(Fault::SpuriousFlush);
        } else {
            self.check_asleep();
            self.sleep();
            return;
        }
        if habits.block.happens(&mut self.random) {
            self.flush_and_wait();
            return;
        }
        let limited = habits.limit.happens(&mut self.random);
        let limit = if limited { self.random.usize(1..=8) } else { usize::MAX };
        self.flush(limit);
        if limited && self.is_awake() {
            self.count(Fault::LimitedFlush);
        }
    }

    fn sleep(&mut self) {
        if self.ring.pending() == 0 {
            return;
        }
        let next = self.world().next_event();
        match next {
            Some(at) => self.world().advance_to(at),
            // All that is left waits for somebody to end it.
            None => {
                if let Some(key) = self.some_live() {
                    self.cancel(key);
                }
            }
        }
    }
}

//! The end of a ring of which the kernel takes nothing any more: a seccomp filter or a security module forbids io_uring
//! since it was made.
//!
//! No cancel can be issued, and no timer set, so that nothing would ever settle. Everything does, with the errno; what
//! the kernel still holds is leaked, because it may go on.

use super::life::{close_after_all, Life};
use super::Ring;
use crate::kernel::Kernel;
use crate::machine::{Event, Verdict};
use crate::operation::{Close, Operation};
use crate::tag::Key;

impl<K: Kernel, C> Ring<K, C> {
    /// What the kernel answers to everything, if it takes nothing of this ring any more.
    pub fn forbidden(&self) -> Option<i32> {
        self.forbidden
    }

    /// The kernel has taken so many SQEs from the head of its queue.
    pub(super) fn closes_taken(&mut self, count: u32) {
        self.closes_queued.retain_mut(|(_, place)| {
            *place = place.saturating_sub(count);
            *place > 0
        });
    }

    /// Ends everything with the errno, but for what was over before. Once.
    #[cold]
    pub(super) fn end_forbidden(&mut self) {
        let Some(errno) = self.forbidden else { return };
        if self.life == (Life::Forbidden { errno }) {
            return;
        }
        // Results that are there are results.
        self.gather();
        self.life = Life::Forbidden { errno };
        self.kernel_refuses = false;
        let keys: Vec<Key> = self.table.unsettled_keys().collect();
        for key in keys {
            let close = self.close_of(key);
            let Some(settled) = self.table.apply(key, Event::Abandoned).settled else { continue };
            // Nobody's turn comes: the ring is over.
            let mut completion = self.finish(settled, true);
            match close {
                None => completion.verdict = Verdict::Forbidden(errno),
                // The kernel has it, and releases the number whatever it answers.
                Some(None) => completion.verdict = Verdict::Completed(0),
                Some(Some(close)) => {
                    completion.operation = Some(close);
                    completion.verdict = Verdict::Cancelled;
                    close_after_all(&mut completion);
                }
            }
            self.ready.push_back(completion);
        }
        self.closes_queued.clear();
    }

    /// If the operation is a close: what is to be done for it, unless the kernel does it.
    fn close_of(&self, key: Key) -> Option<Option<Operation>> {
        let Operation::Close(close) = &self.table.payload(key)?.operation else { return None };
        let is_waiting = self.table.machine(key)?.is_waiting();
        let is_queued = self.closes_queued.iter().any(|&(queued, _)| queued == key);
        // What a thread was given, that closes.
        let is_ours = !close.is_begun() && (is_waiting || is_queued);
        Some(is_ours.then(|| Close::new(close.number()).into()))
    }
}

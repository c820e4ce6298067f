//! What is late, and what becomes of it: it is cancelled, cancelled again, reported, or given up.
//!
//! Nothing is judged by the clock before everything that the kernel has posted was reaped. Whoever has been busy
//! for seconds, or flushes within a budget, finds deadlines that have passed beside results that were there long
//! before: an operation that is over is not late.

use super::deadlines::Due;
use super::Ring;
use crate::kernel::{Kernel, Nanoseconds};
use crate::machine::Event;
use crate::tag::Key;

impl<K: Kernel, C> Ring<K, C> {
    /// When something is due by the clock, if at all.
    pub(super) fn earliest_deadline(&self) -> Option<Nanoseconds> {
        [self.deadlines.earliest(), self.drain_deadline()].into_iter().flatten().min()
    }

    /// Acts on what is due, if the timer said so (or cannot, because the kernel takes no SQEs, or because the
    /// reaping was cut short).
    #[inline]
    pub(super) fn judge(&mut self, is_cut: bool) {
        // The timer's CQE may stand behind others that the budget leaves for later.
        if self.timer_fired || self.kernel_refuses || is_cut {
            self.judge_by_clock();
        }
        if self.forbidden.is_some() {
            self.end_forbidden();
        }
    }

    fn judge_by_clock(&mut self) {
        let fired = std::mem::take(&mut self.timer_fired);
        let Some(earliest) = self.earliest_deadline() else { return };
        // Before the reaping: what is posted after it was not there at this time.
        let now = self.kernel.now();
        if now < earliest {
            return;
        }
        let is_whole = self.gather();
        // A timer that fired meanwhile is for later than `now`, and is set again. Where the kernel holds something
        // back, the next flush looks again, though no timer tells it to.
        self.timer_fired = !is_whole && (fired || self.timer_fired);
        let mut postponed = Vec::new();
        while let Some((slot, due)) = self.deadlines.pop(now) {
            let Some(key) = self.table.key_in(slot) else { continue };
            let is_waiting = self.table.machine(key).is_some_and(|machine| machine.is_waiting());
            match due {
                // It may be over. What waits is not: the kernel does not know it.
                _ if !is_whole && !is_waiting => postponed.push((slot, due)),
                Due::Retry => {
                    self.table.apply(key, Event::RetryDue);
                }
                Due::Timeout => {
                    self.ask_cancel(key, true);
                }
                Due::Stuck => self.report_stuck(key),
            }
        }
        // Due as before: the timer is to fire at once.
        postponed.into_iter().for_each(|(slot, due)| self.deadlines.set(slot, due, earliest));
        if is_whole && self.drain_deadline().is_some_and(|deadline| now >= deadline) {
            self.give_up();
        }
    }

    /// Reaps everything that the kernel has posted, overflow and task work included, whatever the budget: it
    /// stands ready for the next flush that has one. That is no more than was in flight. Returns false if there may be
    /// more that the kernel does not hand out now.
    #[cold]
    pub(super) fn gather(&mut self) -> bool {
        loop {
            if self.is_destroyed() {
                // Nothing new starts, and cancels that had to wait for room have not had their chance.
                self.fill();
            }
            let has_entered = self.enter(0);
            let mut is_empty = true;
            while let Some(cqe) = self.kernel.reap() {
                is_empty = false;
                if let Some(completion) = self.complete(cqe) {
                    self.ready.push_back(completion);
                }
            }
            if is_empty || !has_entered {
                return has_entered || !self.kernel.has_backlog();
            }
        }
    }

    fn report_stuck(&mut self, key: Key) {
        let outcome = self.table.apply(key, Event::StuckDue);
        if outcome.actions.report_stuck {
            self.stats.stuck += 1;
            self.push_report(key);
        }
    }
}

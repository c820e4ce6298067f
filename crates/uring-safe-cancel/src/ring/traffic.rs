//! The traffic of a ring: what waits goes to the kernel, what the kernel completed goes to the clients, and
//! what is left gets its deadlines.

use super::deadlines::Due;
use super::{Completion, Flushed, Held, Ring};
use crate::descriptor::Descriptor;
use crate::kernel::{Cqe, Kernel, QueueFull, Submission, Work};
use crate::machine::{Event, Verdict};
use crate::table::{Outcome, Settled, KEPT_SLOTS};
use crate::tag::{Key, Kind, Tag};
use std::os::fd::RawFd;

/// A signal may interrupt `enter` at any time, but not for ever.
const MAX_INTERRUPTED_ENTERS: u32 = 16;

impl<K: Kernel, C> Ring<K, C> {
    /// Hands everything queued to the kernel and gives at most `limit` completions to `sink`.
    #[inline]
    pub fn flush(&mut self, limit: usize, sink: &mut impl FnMut(Completion<C>)) -> Flushed {
        self.flush_within(limit, &mut |completion| {
            sink(completion);
            1
        })
    }

    /// The same, until what the completions cost reaches `budget`: `sink` answers how much each did, in
    /// any unit. The last one may go beyond; with a budget of 0 there is none.
    ///
    /// ```no_run
    /// # use uring_safe_cancel::{RealKernel, Ring, Verdict};
    /// # fn example(mut ring: Ring<RealKernel, u32>) {
    /// // Completions of together about a megabyte, or a thousand of them.
    /// ring.flush_within(1 << 20, &mut |completion| match completion.verdict {
    ///     Verdict::Completed(bytes) => 1024.max(bytes as usize),
    ///     _ => 1024,
    /// });
    /// # }
    /// ```
    #[inline]
    pub fn flush_within(
        &mut self,
        budget: usize,
        sink: &mut impl FnMut(Completion<C>) -> usize,
    ) -> Flushed {
        let (mut delivered, mut spent) = (0, 0);
        loop {
            self.fill();
            self.enter(0);
            let reaped = self.reap(budget.saturating_sub(spent), sink);
            delivered += reaped.delivered;
            spent = reaped.spent.saturating_add(spent);
            let is_cut = spent >= budget;
            self.process_deadlines(is_cut);
            let more_to_do = !self.ready.is_empty() || self.may_queue();
            if !more_to_do || self.kernel_refuses {
                break;
            }
            if is_cut {
                // Completions may wait for whoever set the budget; what can start may not, because
                // nothing else might ever wake him.
                self.fill();
                self.enter(0);
                break;
            }
            if reaped.cqes == 0 {
                break;
            }
        }
        self.arm();
        // A shared duplicate would keep a pipe open that its user closed.
        self.duplicates.forget();
        self.shrink();
        // The kernel may have refused before and not now, but nobody has filled the queue since.
        let left_over = self.may_queue() || !self.ready.is_empty();
        Flushed { delivered, again: self.kernel_refuses || left_over }
    }

    /// After a burst, gives its memory back.
    #[inline]
    fn shrink(&mut self) {
        let slots = self.table.slots();
        self.by_descriptor.shrink(slots);
        self.deadlines.shrink(slots);
        if self.ready.capacity() > KEPT_SLOTS && self.ready.len() < self.ready.capacity() / 4 {
            self.ready.shrink_to(KEPT_SLOTS);
        }
        if self.unarmed.capacity() > KEPT_SLOTS {
            self.unarmed = Vec::new();
        }
    }

    /// Whether [`Ring::fill`] would find something to do.
    fn may_queue(&self) -> bool {
        self.table.may_cancel() || (!self.table.is_queue_empty() && self.table.may_submit())
    }

    /// Flushes, and if nothing came of it, blocks until a CQE is there and flushes again. Does not block
    /// if [`Flushed::again`]: there would be nothing to wake it.
    pub fn flush_and_wait(&mut self, sink: &mut impl FnMut(Completion<C>)) -> Flushed {
        let flushed = self.flush(usize::MAX, sink);
        if flushed.delivered > 0 || flushed.again || self.pending() == 0 {
            return flushed;
        }
        self.enter(1);
        self.flush(usize::MAX, sink)
    }

    /// Queues as many SQEs as there is room for: cancels first, because they make room.
    pub(super) fn fill(&mut self) {
        while let Some(key) = self.table.next_cancel() {
            let target = Tag::new(Kind::Target, key);
            let tag = Tag::new(Kind::Cancel, key);
            if self.queue(tag, Work::Cancel { target }, false).is_err() {
                self.table.put_back_cancel(key);
                return;
            }
            let outcome = self.table.apply(key, Event::CancelIssued);
            self.stats.cancel_attempts += 1;
            let attempts = self.table.machine(key).map_or(0, |machine| machine.attempts());
            self.stats.reissues += u64::from(attempts > 1);
            self.stats.max_attempts = self.stats.max_attempts.max(attempts);
            if let Some(delay) = outcome.actions.arm_retry {
                self.unarmed.push((key, Due::Retry, delay));
            }
        }
        while let Some(key) = self.table.next_waiting() {
            if !self.start(key) {
                return;
            }
        }
    }

    /// Queues an operation's SQE; if there is no room for it, the operation heads the queue.
    #[inline(always)]
    pub(super) fn start(&mut self, key: Key) -> bool {
        let Some(held) = self.table.payload(key) else { return true };
        let (work, asynchronous) = (held.operation.work(), held.asynchronous);
        let needs_worker = held.operation.needs_worker();
        if self.queue(Tag::new(Kind::Target, key), work, asynchronous).is_ok() {
            self.table.submitted(key, asynchronous && !needs_worker);
            return true;
        }
        if let Some(held) = self.table.payload_mut(key) {
            // It is looked up late now. Where no duplicate can be had, the number must do.
            if let Some(place @ Descriptor::Borrowed(_)) = held.operation.descriptor_mut() {
                if let Ok(duplicate) = self.duplicates.get(place.number()) {
                    *place = duplicate;
                }
            }
        }
        self.table.enqueue_first(key);
        false
    }

    #[inline(always)]
    fn queue(&mut self, tag: Tag, work: Work, asynchronous: bool) -> Result<(), QueueFull> {
        let submission = Submission { tag, work, asynchronous };
        // SAFETY: the addresses are those of memory that the operation in the table owns. The table
        // gives an operation back only at its final CQE, and one that is abandoned is leaked.
        let queued = unsafe { self.kernel.queue(&submission) };
        if queued.is_ok() || !self.enter(0) {
            return queued;
        }
        // SAFETY: as above.
        unsafe { self.kernel.queue(&submission) }
    }

    /// Hands queued SQEs over and, if `wanted`, waits. Returns whether the kernel took them all.
    pub(super) fn enter(&mut self, wanted: u32) -> bool {
        self.kernel_refuses = false;
        let mut interrupted = 0;
        loop {
            let queued = self.kernel.queued();
            if queued == 0 && wanted == 0 && !self.kernel.has_backlog() {
                return true;
            }
            match self.kernel.enter(wanted) {
                Ok(()) if self.kernel.queued() == 0 => return true,
                // An SQE that failed early may end the batch: the rest goes with the next call.
                Ok(()) if self.kernel.queued() < queued => {}
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {
                    interrupted += 1;
                    if wanted > 0 || interrupted == MAX_INTERRUPTED_ENTERS {
                        self.kernel_refuses = self.kernel.queued() > 0;
                        return !self.kernel_refuses;
                    }
                }
                Ok(()) | Err(_) => {
                    self.stats.refusals += 1;
                    self.kernel_refuses = true;
                    return false;
                }
            }
        }
    }

    #[inline(always)]
    fn reap(&mut self, budget: usize, sink: &mut impl FnMut(Completion<C>) -> usize) -> Reaped {
        let mut reaped = Reaped::default();
        while reaped.spent < budget {
            let completion = match self.ready.pop_front() {
                Some(completion) => completion,
                None => {
                    let Some(cqe) = self.kernel.reap() else { break };
                    reaped.cqes += 1;
                    let Some(completion) = self.complete(cqe) else { continue };
                    completion
                }
            };
            // The one place that calls it, so that it is inlined.
            reaped.spent = reaped.spent.saturating_add(sink(completion));
            reaped.delivered += 1;
        }
        reaped
    }

    #[inline(always)]
    fn complete(&mut self, cqe: Cqe) -> Option<Completion<C>> {
        let tag = Tag::from_user_data(cqe.user_data)?;
        let key = tag.key();
        match tag.kind() {
            Kind::Target => {
                let held = self.table.payload(key)?;
                let result = held.operation.translate(cqe.result);
                let Cqe { more, notification, .. } = cqe;
                let event = Event::TargetCompleted { result, more, notification };
                let Outcome { actions, settled } = self.table.apply(key, event);
                if actions.resubmit {
                    let asynchronous = self.table.machine(key)?.is_asynchronous();
                    let held = self.table.payload_mut(key)?;
                    held.asynchronous = asynchronous || held.operation.needs_worker();
                    self.table.enqueue_first(key);
                }
                settled.map(|settled| self.finish(settled, false))
            }
            Kind::Cancel => {
                self.stats.answers.count(cqe.result);
                self.table.apply(key, Event::CancelAnswered(cqe.result));
                None
            }
            Kind::Timer => {
                self.timer.fired(tag);
                self.timer_fired = true;
                None
            }
            Kind::TimerUpdate => {
                self.timer.changed(tag, cqe.result);
                None
            }
        }
    }

    /// Makes a settled operation its client's. `parked`: it never ran, so nobody's turn has come.
    #[inline(always)]
    pub(super) fn finish(&mut self, settled: Settled<Held<C>>, parked: bool) -> Completion<C> {
        let Settled { key, verdict, attempts, cancel_asked, payload } = settled;
        let Held { client, operation, number, in_line, timed_out, .. } = payload;
        self.deadlines.clear(key.slot());
        self.stats.completed += 1;
        self.stats.rescued += u64::from(attempts > 1 && verdict != Verdict::Stuck);
        if let (true, false, Some(number)) = (in_line, parked, number) {
            self.next_in_line(number);
        }
        if let Some(number) = number {
            self.by_descriptor.remove(number, key.slot());
        }
        let opened = match verdict {
            Verdict::Completed(result) => operation.opened(result),
            _ => None,
        };
        let operation = if verdict == Verdict::Stuck {
            // The kernel may still write to its memory or look at its descriptor.
            std::mem::forget(operation);
            None
        } else {
            Some(operation)
        };
        Completion { key, client, verdict, attempts, cancel_asked, timed_out, operation, opened }
    }

    /// An operation at the current position of `number` ended: the next one may run.
    fn next_in_line(&mut self, number: RawFd) {
        let Some(parked) = self.positions.end(number) else { return };
        if let Some(key) = self.table.unpark_first(parked) {
            if let Some(held) = self.table.payload_mut(key) {
                held.parked = false;
            }
            self.table.enqueue(key);
        }
    }

    /// Acts on what is due, if the timer said so (or cannot, because the kernel takes no SQEs, or because the
    /// reaping was cut short).
    fn process_deadlines(&mut self, is_cut: bool) {
        // The timer's CQE may stand behind others that the budget leaves for later.
        let is_due = std::mem::take(&mut self.timer_fired) || self.kernel_refuses;
        let may_be_due = is_due || (is_cut && self.deadlines.earliest().is_some());
        if !may_be_due {
            return;
        }
        let now = self.kernel.now();
        while let Some((slot, due)) = self.deadlines.pop(now) {
            let Some(key) = self.table.key_in(slot) else { continue };
            match due {
                Due::Retry => {
                    self.table.apply(key, Event::RetryDue);
                }
                Due::Timeout => {
                    self.ask_cancel(key, true);
                }
                Due::Stuck => self.report_stuck(key),
            }
        }
        self.check_drain(now);
    }

    fn report_stuck(&mut self, key: Key) {
        let outcome = self.table.apply(key, Event::StuckDue);
        if outcome.actions.report_stuck {
            self.stats.stuck += 1;
            self.push_report(key);
        }
    }

    /// Gives what this flush left unsettled its deadlines, and the kernel a timer for the earliest.
    fn arm(&mut self) {
        // The usual cancel has worked by now: then there is nothing to arm, and no need of the clock.
        let mut now = None;
        let mut unarmed = std::mem::take(&mut self.unarmed);
        for (key, due, delay) in unarmed.drain(..) {
            if self.table.payload(key).is_some() {
                let now = *now.get_or_insert_with(|| self.kernel.now());
                let delay = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
                self.deadlines.set(key.slot(), due, now.saturating_add(delay).min(u64::MAX - 1));
            }
        }
        self.unarmed = unarmed;
        let earliest = [self.deadlines.earliest(), self.drain_deadline()];
        let Some(deadline) = earliest.into_iter().flatten().min() else { return };
        if let Some((tag, work)) = self.timer.plan(deadline) {
            if self.queue(tag, work, false).is_ok() {
                self.timer.queued(tag, deadline);
                self.enter(0);
            }
        }
    }
}

#[derive(Default)]
struct Reaped {
    delivered: usize,
    /// What `sink` says that they cost.
    spent: usize,
    cqes: usize,
}

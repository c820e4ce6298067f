//! The ring: operations in, completions out, and between them the in-flight table, the cancellation
//! machine and the kernel.

mod completion;
mod deadlines;
mod life;
mod options;
mod positions;
mod stats;
mod timer;

pub use completion::{Completion, Refusal, Refused, StuckReport};
pub use options::{Extra, Options};
pub use stats::{Answers, Stats};

use crate::descriptor::{Descriptor, Duplicates};
use crate::kernel::{Cqe, Kernel, QueueFull, Submission, Work};
use crate::machine::{is_interruption, Event, Verdict};
use crate::memory::Arena;
use crate::operation::Operation;
use crate::table::{Outcome, Settled, Table};
use crate::tag::{Key, Kind, Tag, MAX_SLOT};
use deadlines::{Deadlines, Due};
use life::Life;
use positions::Positions;
use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::time::Duration;
use timer::Timer;

/// The most slots a table may need.
pub const MAX_SLOTS: u32 = MAX_SLOT;
/// The most operations that may wait: half of the slots, so that the other half is enough for the
/// largest completion queue and for slots that only wait for a cancel's answer.
pub const MAX_WAITING: u32 = MAX_SLOTS / 2;
/// A signal may interrupt `enter` at any time, but not for ever.
const MAX_INTERRUPTED_ENTERS: u32 = 16;

/// What a slot of the table holds.
#[derive(Debug)]
struct Held<C> {
    client: C,
    operation: Operation,
    /// Whether the next submission carries `IOSQE_ASYNC`.
    asynchronous: bool,
    /// The descriptor's number as the client knows it (the operation may use a duplicate).
    number: Option<RawFd>,
    /// Whether it stands in a line for its descriptor's position.
    in_line: bool,
    /// Whether it is parked there.
    parked: bool,
    timed_out: bool,
}

impl<C> Held<C> {
    /// An operation that works on no descriptor of its client's.
    fn new(client: C, operation: Operation) -> Self {
        Self {
            client,
            operation,
            asynchronous: false,
            number: None,
            in_line: false,
            parked: false,
            timed_out: false,
        }
    }
}

/// What a flush came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Completions given to the sink.
    pub delivered: usize,
    /// Something is left that no CQE will tell of: the kernel could not take everything for want of
    /// memory or room, or the limit kept back completions that needed no CQE. Flush again after a
    /// millisecond or so.
    pub again: bool,
}

/// A ring over a kernel, whose clients tell their operations apart by a `C`.
///
/// It neither blocks nor wakes anybody: [`Ring::flush`] it after submitting, and whenever the kernel's
/// descriptor is readable.
///
/// ```
/// use uring_safe_cancel::{operation::Nop, Extra, Options, RealKernel, Ring, Verdict};
///
/// let options = Options::default();
/// let kernel = RealKernel::new(options.entries, options.completions)?;
/// let completions = kernel.completions();
/// let mut ring = Ring::new(kernel, completions, options);
/// ring.submit(Nop.into(), Extra::default(), "mine").expect("there is room");
/// let mut done = Vec::new();
/// ring.flush(usize::MAX, &mut |completion| done.push(completion));
/// assert_eq!((done[0].client, done[0].verdict), ("mine", Verdict::Completed(0)));
/// # Ok::<(), uring_safe_cancel::SetupError>(())
/// ```
#[derive(Debug)]
pub struct Ring<K: Kernel, C> {
    kernel: K,
    table: Table<Held<C>>,
    arena: Arena,
    deadlines: Deadlines,
    timer: Timer,
    positions: Positions,
    duplicates: Duplicates,
    /// Completions that needed no CQE, for the next flush.
    ready: VecDeque<Completion<C>>,
    /// Deadlines of operations that this flush may yet settle.
    unarmed: Vec<(Key, Due, Duration)>,
    reports: Vec<StuckReport>,
    life: Life,
    stats: Stats,
    timer_fired: bool,
    kernel_refuses: bool,
}

impl<K: Kernel, C> Ring<K, C> {
    /// A ring over `kernel`, whose completion queue has `completions` entries.
    pub fn new(kernel: K, completions: u32, options: Options) -> Self {
        let limits = options.limits(completions);
        Self {
            kernel,
            arena: Arena::new(options.arena_bytes),
            table: Table::new(limits, options.cancel),
            deadlines: Deadlines::default(),
            timer: Timer::new(),
            positions: Positions::default(),
            duplicates: Duplicates::default(),
            ready: VecDeque::new(),
            unarmed: Vec::new(),
            reports: Vec::new(),
            life: Life::Open,
            stats: Stats::default(),
            timer_fired: false,
            kernel_refuses: false,
        }
    }

    /// Where operations' memory comes from.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// The kernel under it.
    pub fn kernel(&self) -> &K {
        &self.kernel
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        let in_flight = self.table.in_flight();
        Stats { in_flight, queued: self.table.waiting(), ..self.stats }
    }

    /// Operations that have not been given back.
    #[inline]
    pub fn pending(&self) -> usize {
        self.table.unsettled() as usize + self.ready.len()
    }

    /// Whether the next operation would wait in the queue.
    #[inline]
    pub fn is_full(&self) -> bool {
        !self.table.is_queue_empty() || !self.table.may_submit()
    }

    /// The client of an operation that has not settled.
    pub fn client(&self, key: Key) -> Option<&C> {
        self.table.payload(key).map(|held| &held.client)
    }

    /// Counts a late result whose client was gone.
    pub fn count_discarded(&mut self) {
        self.stats.discarded += 1;
    }

    /// Takes an operation. Its SQE is queued, or it waits; [`Ring::flush`] hands it to the kernel.
    ///
    /// On cancel it completes as [`Verdict::Cancelled`], unless its result was there first.
    #[inline]
    #[allow(clippy::result_large_err)] // The operation comes back, and this is the cold path.
    pub fn submit(
        &mut self,
        mut operation: Operation,
        extra: Extra,
        client: C,
    ) -> Result<Key, Refused<C>> {
        if self.life != Life::Open {
            return Err(Refused { refusal: Refusal::Closed, operation, client });
        }
        let is_close = matches!(operation, Operation::Close(_));
        if is_close && !self.table.may_submit() {
            return Ok(self.close_at_once(operation, client));
        }
        if !self.table.has_room() {
            return Err(Refused { refusal: Refusal::QueueFull, operation, client });
        }
        let number = operation.descriptor().map(Descriptor::number);
        let in_line = operation.uses_position();
        let parked = in_line && number.is_some_and(|number| self.positions.must_park(number));
        // A close takes its turn in the queue, because cancels asked for before it go first from there.
        let waits = parked || is_close || self.is_full();
        if waits || extra.asynchronous {
            if let Err(error) = self.duplicate(&mut operation) {
                let refusal = Refusal::Descriptor(error);
                return Err(Refused { refusal, operation, client });
            }
        }
        // What a worker refuses is submitted again, plain.
        let asynchronous = extra.asynchronous && operation.is_repeatable();
        let held =
            Held { client, operation, asynchronous, number, in_line, parked, timed_out: false };
        let key = match self.table.insert(held) {
            Ok(key) => key,
            Err(Held { operation, client, .. }) => {
                return Err(Refused { refusal: Refusal::QueueFull, operation, client })
            }
        };
        self.stats.submitted += 1;
        if let Some(timeout) = extra.timeout {
            self.unarmed.push((key, Due::Timeout, timeout));
        }
        match number {
            Some(number) if parked => self.table.park(self.positions.parked(number), key),
            Some(number) if in_line => self.positions.start(number),
            _ => {}
        }
        if !waits {
            self.start(key);
        } else if !parked {
            self.table.enqueue(key);
        }
        Ok(key)
    }

    /// Replaces a borrowed descriptor by a duplicate that the operation holds.
    fn duplicate(&mut self, operation: &mut Operation) -> std::io::Result<()> {
        if let Some(descriptor) = operation.descriptor_mut() {
            if let Descriptor::Borrowed(number) = *descriptor {
                *descriptor = self.duplicates.get(number)?;
            }
        }
        Ok(())
    }

    /// Asks for an operation's cancellation. Idempotent, unless the policy says `reissue: false`: then
    /// each call issues one cancel. Returns whether the operation can still be cancelled: not if it
    /// has settled, and not if it is a close.
    pub fn cancel(&mut self, key: Key) -> bool {
        self.ask_cancel(key, false)
    }

    /// Asks for the cancellation of every operation on a descriptor number; how many there were.
    pub fn cancel_descriptor(&mut self, number: RawFd) -> usize {
        self.cancel_where(|held| held.number == Some(number))
    }

    /// Asks for the cancellation of every operation; how many there were.
    pub fn cancel_all(&mut self) -> usize {
        self.cancel_where(|_| true)
    }

    fn cancel_where(&mut self, wanted: impl Fn(&Held<C>) -> bool) -> usize {
        let keys: Vec<Key> = self
            .table
            .unsettled_keys()
            .filter(|&key| self.table.payload(key).is_some_and(&wanted))
            .collect();
        keys.into_iter().filter(|&key| self.cancel(key)).count()
    }

    fn ask_cancel(&mut self, key: Key, timed_out: bool) -> bool {
        let Some(held) = self.table.payload_mut(key) else { return false };
        if !held.operation.is_cancellable() {
            return false;
        }
        let (parked, number) = (held.parked, held.number);
        let naive_repeat = !self.table.policy().reissue && !timed_out;
        let Some(machine) = self.table.machine(key) else { return false };
        if machine.is_cancel_asked() {
            if naive_repeat {
                self.table.apply(key, Event::RetryDue);
            }
            return true;
        }
        self.stats.cancels_requested += 1;
        if let Some(held) = self.table.payload_mut(key) {
            held.timed_out = timed_out;
            held.parked = false;
        }
        if let (true, Some(number)) = (parked, number) {
            self.table.unpark(self.positions.parked(number), key);
        }
        let outcome = self.table.apply(key, Event::CancelAsked);
        if let Some(settled) = outcome.settled {
            let completion = self.finish(settled, parked);
            self.ready.push_back(completion);
        }
        if let Some(delay) = outcome.actions.arm_stuck {
            self.unarmed.push((key, Due::Stuck, delay));
        }
        true
    }

    /// Hands everything queued to the kernel and gives at most `limit` completions to `sink`.
    pub fn flush(&mut self, limit: usize, sink: &mut impl FnMut(Completion<C>)) -> Flushed {
        let mut delivered = 0;
        loop {
            self.fill();
            self.enter(0);
            let reaped = self.reap(limit - delivered, sink);
            delivered += reaped.delivered;
            self.process_deadlines();
            let more_to_do = !self.ready.is_empty() || self.may_queue();
            if !more_to_do || self.kernel_refuses || reaped.cqes == 0 {
                break;
            }
            if delivered >= limit {
                // Completions may wait for whoever set the limit; what can start may not, because
                // nothing else might ever wake him.
                self.fill();
                self.enter(0);
                break;
            }
        }
        self.arm();
        // A shared duplicate would keep a pipe open that its user closed.
        self.duplicates.forget();
        // The kernel may have refused before and not now, but nobody has filled the queue since.
        let left_over = self.may_queue() || !self.ready.is_empty();
        Flushed { delivered, again: self.kernel_refuses || left_over }
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

    /// The reports of operations that are stuck, since the last call.
    pub fn take_stuck_reports(&mut self) -> Vec<StuckReport> {
        std::mem::take(&mut self.reports)
    }

    /// Queues as many SQEs as there is room for: cancels first, because they make room.
    fn fill(&mut self) {
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
    #[inline]
    fn start(&mut self, key: Key) -> bool {
        let Some(held) = self.table.payload(key) else { return true };
        let (work, asynchronous) = (held.operation.work(), held.asynchronous);
        if self.queue(Tag::new(Kind::Target, key), work, asynchronous).is_ok() {
            self.table.submitted(key, asynchronous);
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

    #[inline]
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
    fn enter(&mut self, wanted: u32) -> bool {
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

    #[inline]
    fn reap(&mut self, limit: usize, sink: &mut impl FnMut(Completion<C>)) -> Reaped {
        let mut reaped = Reaped::default();
        while reaped.delivered < limit {
            if let Some(completion) = self.ready.pop_front() {
                sink(completion);
                reaped.delivered += 1;
                continue;
            }
            let Some(cqe) = self.kernel.reap() else { break };
            reaped.cqes += 1;
            if let Some(completion) = self.complete(cqe) {
                sink(completion);
                reaped.delivered += 1;
            }
        }
        reaped
    }

    #[inline]
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
                    let held = self.table.payload_mut(key)?;
                    held.asynchronous &= is_interruption(cqe.result);
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
    #[inline]
    fn finish(&mut self, settled: Settled<Held<C>>, parked: bool) -> Completion<C> {
        let Settled { key, verdict, attempts, cancel_asked, payload } = settled;
        let Held { client, operation, number, in_line, timed_out, .. } = payload;
        self.deadlines.clear(key.slot());
        self.stats.completed += 1;
        self.stats.rescued += u64::from(attempts > 1 && verdict != Verdict::Stuck);
        if let (true, false, Some(number)) = (in_line, parked, number) {
            self.next_in_line(number);
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

    /// Acts on what is due, if the timer said so (or cannot, because the kernel takes no SQEs).
    fn process_deadlines(&mut self) {
        if !std::mem::take(&mut self.timer_fired) && !self.kernel_refuses {
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
        if !self.unarmed.is_empty() {
            let now = self.kernel.now();
            for (key, due, delay) in std::mem::take(&mut self.unarmed) {
                if self.table.payload(key).is_some() {
                    let delay = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
                    self.deadlines.set(
                        key.slot(),
                        due,
                        now.saturating_add(delay).min(u64::MAX - 1),
                    );
                }
            }
        }
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
    cqes: usize,
}

#[cfg(test)]
#[path = "ring/fake_tests.rs"]
mod fake_tests;
#[cfg(test)]
#[path = "ring/ring_tests.rs"]
mod tests;

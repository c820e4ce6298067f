//! The ring: operations in, completions out, and between them the in-flight table, the cancellation
//! machine and the kernel.

mod by_descriptor;
mod completion;
mod deadlines;
mod life;
mod options;
mod positions;
mod stats;
mod timer;
mod traffic;

pub use completion::{Completion, Refusal, Refused, StuckReport};
pub use options::{Extra, Options};
pub use stats::{Answers, Stats};

use crate::descriptor::{Descriptor, Duplicates};
use crate::kernel::Kernel;
use crate::machine::Event;
use crate::memory::Arena;
use crate::operation::Operation;
use crate::table::Table;
use crate::tag::{Key, MAX_SLOT};
use by_descriptor::ByDescriptor;
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
    by_descriptor: ByDescriptor,
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
            by_descriptor: ByDescriptor::default(),
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
    /// On cancel it completes as [`crate::Verdict::Cancelled`], unless its result was there first.
    ///
    /// A [`Close`](crate::operation::Close) is never refused: a ring that is full, closed, destroyed or given up does it by
    /// close(2), and the next flush completes it.
    #[inline(always)]
    #[allow(clippy::result_large_err)] // The operation comes back, and this is the cold path.
    pub fn submit(
        &mut self,
        mut operation: Operation,
        extra: Extra,
        client: C,
    ) -> Result<Key, Refused<C>> {
        let is_open = self.life == Life::Open;
        let is_close = matches!(operation, Operation::Close(_));
        // A close is never refused.
        if is_close && !(is_open && self.table.may_submit() && self.table.has_room()) {
            return Ok(self.close_at_once(operation, client));
        }
        if !is_open {
            return Err(Refused { refusal: Refusal::Closed, operation, client });
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
        let is_write = operation.is_write();
        let wants_worker = extra.asynchronous
            && number.is_none_or(|number| self.kernel.may_use_worker(number, is_write));
        let in_worker = wants_worker || operation.needs_worker();
        // What a worker refuses is submitted again, plain.
        let asynchronous = in_worker && operation.is_repeatable();
        let held =
            Held { client, operation, asynchronous, number, in_line, parked, timed_out: false };
        let key = match self.table.insert(held) {
            Ok(key) => key,
            Err(Held { operation, client, .. }) => {
                return Err(Refused { refusal: Refusal::QueueFull, operation, client })
            }
        };
        if let Some(number) = number {
            self.by_descriptor.add(number, key.slot());
        }
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
        let keys: Vec<Key> =
            self.by_descriptor.on(number).filter_map(|slot| self.table.key_in(slot)).collect();
        self.cancel_each(keys)
    }

    /// Asks for the cancellation of every operation; how many there were.
    pub fn cancel_all(&mut self) -> usize {
        let keys = self.table.unsettled_keys().collect();
        self.cancel_each(keys)
    }

    fn cancel_each(&mut self, keys: Vec<Key>) -> usize {
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

    /// The reports of operations that are stuck, since the last call.
    pub fn take_stuck_reports(&mut self) -> Vec<StuckReport> {
        std::mem::take(&mut self.reports)
    }
}

#[cfg(test)]
#[path = "ring/end_tests.rs"]
mod end_tests;
#[cfg(test)]
#[path = "ring/fake_tests.rs"]
mod fake_tests;
#[cfg(test)]
#[path = "ring/ring_tests.rs"]
mod tests;

//! The ring: operations in, completions out, and between them the in-flight table, the cancellation
//! machine and the kernel.

mod by_descriptor;
mod completion;
mod deadlines;
mod forbidden;
mod judgement;
mod life;
mod lines;
mod looks;
mod options;
mod placement;
mod position;
mod stats;
mod timer;
mod traffic;

pub use completion::{Completion, Refusal, Refused, StuckReport};
pub use options::{Extra, Options};
pub use stats::{Answers, Stats};

use crate::descriptor::{Descriptor, Duplicates, FileKind, Look};
use crate::kernel::{Kernel, Ticket};
use crate::machine::{Event, Verdict};
use crate::memory::Arena;
use crate::operation::Operation;
use crate::table::Table;
use crate::tag::{Key, MAX_SLOT};
use by_descriptor::ByDescriptor;
use deadlines::{Deadlines, Due};
use life::Life;
use lines::{Lane, LineKey, Lines};
use looks::Looks;
use placement::{Placed, Placement};
use position::Move;
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
    /// Whether it can do without.
    needs_worker: bool,
    /// Whether -EAGAIN says that nothing is there yet.
    waits: bool,
    /// Whether it is parked in its line.
    parked: bool,
    timed_out: bool,
    /// The descriptor's number as the client knows it (the operation may use a duplicate).
    number: Option<RawFd>,
    /// What most operations do without. In a box: a slot is moved from hand to hand.
    apart: Option<Box<Apart>>,
}

/// What an operation needs that may not go to the kernel just so.
#[derive(Debug)]
struct Apart {
    /// How it moves its file's position.
    moves: Move,
    /// What its file is.
    kind: FileKind,
    /// The line it stands in.
    line: Option<LineKey>,
    /// Its place among the kernel's workers, if it may keep one for long.
    ticket: Option<Ticket>,
}

impl<C> Held<C> {
    /// A plain operation.
    #[inline(always)]
    fn new(client: C, operation: Operation) -> Self {
        Self {
            client,
            operation,
            asynchronous: false,
            needs_worker: false,
            waits: false,
            parked: false,
            timed_out: false,
            number: None,
            apart: None,
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
    lines: Lines,
    looks: Looks,
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
    /// What the kernel answers to everything, since it takes nothing of this ring any more.
    forbidden: Option<i32>,
    /// Closes that the kernel has not taken, and where they stand in its queue, from one.
    closes_queued: Vec<(Key, u32)>,
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
            lines: Lines::default(),
            looks: Looks::default(),
            by_descriptor: ByDescriptor::default(),
            duplicates: Duplicates::default(),
            ready: VecDeque::new(),
            unarmed: Vec::new(),
            reports: Vec::new(),
            life: Life::Open,
            stats: Stats::default(),
            timer_fired: false,
            kernel_refuses: false,
            forbidden: None,
            closes_queued: Vec::new(),
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
            let refusal = match self.life {
                Life::Forbidden { errno } => Refusal::Forbidden(errno),
                _ => Refusal::Closed,
            };
            return Err(Refused { refusal, operation, client });
        }
        if !self.table.has_room() {
            return Err(Refused { refusal: Refusal::QueueFull, operation, client });
        }
        let waits = match self.place(&operation, extra.asynchronous) {
            Placed::Plain { waits } => waits,
            placed => return self.submit_apart(operation, extra, client, placed),
        };
        let number = operation.descriptor().map(Descriptor::number);
        // A close takes its turn in the queue, because cancels asked for before it go first from there.
        let queues = is_close || self.is_full();
        if queues {
            if let Err(error) = self.duplicate(&mut operation, None) {
                let refusal = Refusal::Descriptor(error);
                return Err(Refused { refusal, operation, client });
            }
        }
        // There is room, as was seen above.
        let held = Held { waits, number, ..Held::new(client, operation) };
        let key = self.table.insert_beyond_limit(held);
        if let Some(number) = number {
            self.by_descriptor.add(number, key.slot());
        }
        self.stats.submitted += 1;
        if let Some(timeout) = extra.timeout {
            self.unarmed.push((key, Due::Timeout, timeout));
        }
        if queues {
            self.table.enqueue(key);
        } else {
            self.start(key);
        }
        Ok(key)
    }

    /// The same for an operation that may not go to the kernel just so.
    #[inline(never)]
    #[allow(clippy::result_large_err)] // As for `submit`.
    fn submit_apart(
        &mut self,
        mut operation: Operation,
        extra: Extra,
        client: C,
        placed: Placed,
    ) -> Result<Key, Refused<C>> {
        let placement = match placed {
            Placed::Apart(placement) => *placement,
            Placed::Plain { waits } => Placement { waits, ..placement::NOWHERE },
            Placed::Settles(result) => return Ok(self.settle_at_once(operation, client, result)),
            Placed::Refused(limit) => {
                return Err(Refused { refusal: Refusal::Workers(limit), operation, client })
            }
        };
        let Placement { look, asynchronous, needs_worker, holds, waits, moves, line, ticket } =
            placement;
        let number = operation.descriptor().map(Descriptor::number);
        let parked = line.is_some_and(|line| self.enter_line(line, look));
        let queues = parked || self.is_full();
        // A worker looks numbers up late, and so does the queue.
        if queues || asynchronous || extra.asynchronous || holds {
            if let Err(error) = self.duplicate(&mut operation, Some(look)) {
                if let (Some(line), false) = (line, parked) {
                    self.next_in_line(line);
                }
                let refusal = Refusal::Descriptor(error);
                return Err(Refused { refusal, operation, client });
            }
        }
        let is_apart = moves != Move::None || line.is_some() || ticket.is_some();
        let apart = is_apart.then(|| Box::new(Apart { moves, kind: look.kind, line, ticket }));
        let new = Held::new(client, operation);
        let held = Held { asynchronous, needs_worker, waits, parked, number, apart, ..new };
        let key = self.table.insert_beyond_limit(held);
        if let Some(number) = number {
            self.by_descriptor.add(number, key.slot());
        }
        self.stats.submitted += 1;
        if let Some(timeout) = extra.timeout {
            self.unarmed.push((key, Due::Timeout, timeout));
        }
        if parked {
            if let Some(list) = line.and_then(|line| self.lines.parked(line)) {
                self.table.park(list, key);
            }
        } else if queues {
            self.table.enqueue(key);
        } else {
            self.start(key);
        }
        Ok(key)
    }

    /// Whether an operation must be parked in its line.
    fn enter_line(&mut self, line: LineKey, look: Look) -> bool {
        let most = match line.lane {
            Lane::Waiters => self.kernel.most_unknown(),
            _ => 1,
        };
        self.lines.enter(line, look.identity, most)
    }

    /// An operation whose result is known without the kernel.
    #[cold]
    fn settle_at_once(&mut self, operation: Operation, client: C, result: i32) -> Key {
        self.stats.submitted += 1;
        let key = self.table.insert_beyond_limit(Held::new(client, operation));
        if let Some(settled) = self.table.apply(key, Event::Abandoned).settled {
            let mut completion = self.finish(settled, true);
            completion.verdict = match result {
                0.. => Verdict::Completed(result),
                errno => Verdict::Failed(-errno),
            };
            self.ready.push_back(completion);
        }
        key
    }

    /// Replaces a borrowed descriptor by a duplicate that the operation holds.
    fn duplicate(&mut self, operation: &mut Operation, look: Option<Look>) -> std::io::Result<()> {
        if let Some(descriptor) = operation.descriptor_mut() {
            if let Descriptor::Borrowed(number) = *descriptor {
                *descriptor = self.duplicates.get(number, look)?;
            }
        }
        Ok(())
    }

    /// Says that this ring opened `number`, whose owner will close it by this ring and by nothing else: then nobody need look
    /// what it leads to before each operation. Closed elsewhere, and used again, it would be taken for what it was: an
    /// operation on a terminal that got the number of a file might wait on the ring's thread.
    pub fn remember(&mut self, number: RawFd) {
        self.looks.opened(number);
    }

    /// Asks for an operation's cancellation. Idempotent, unless the policy says `reissue: false`: then
    /// each call issues one cancel. Returns whether the operation can still be cancelled: not if it
    /// has settled, and not if it is a close.
    pub fn cancel(&mut self, key: Key) -> bool {
        self.ask_cancel(key, false)
    }

    /// Asks for the cancellation of every operation on a descriptor number; how many there were. The first call looks at every
    /// operation there is, and each later one at those on the number.
    pub fn cancel_descriptor(&mut self, number: RawFd) -> usize {
        let table = &self.table;
        self.by_descriptor.keep(|| {
            let number_of = |key: Key| Some((table.payload(key)?.number?, key.slot()));
            table.unsettled_keys().filter_map(number_of).collect()
        });
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
        let parked = held.parked;
        let line = held.apart.as_ref().and_then(|apart| apart.line);
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
        if parked {
            if let Some(list) = line.and_then(|line| self.lines.parked(line)) {
                self.table.unpark(list, key);
            }
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
#[path = "ring/judgement_tests.rs"]
mod judgement_tests;
#[cfg(test)]
#[path = "ring/protocol_tests.rs"]
mod protocol_tests;
#[cfg(test)]
#[path = "ring/ring_tests.rs"]
mod tests;

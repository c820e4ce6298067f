//! The traffic of a ring: what waits goes to the kernel, what the kernel completed goes to the clients, and
//! what is left gets its deadlines.

use super::deadlines::Due;
use super::lines::LineKey;
use super::position::{self, Move};
use super::{Apart, Completion, Flushed, Held, Ring};
use crate::descriptor::{closer, Descriptor, Duplicates, FileKind};
use crate::kernel::{Access, Cqe, Kernel, QueueFull, Submission, Work};
use crate::machine::{Event, Machine, Stage, Verdict};
use crate::operation::Operation;
use crate::table::{Outcome, Settled, KEPT_SLOTS};
use crate::tag::{Key, Kind, Tag};

/// So often in a row the kernel says what is not to pass: once may be anything.
const MAX_FORBIDDEN_ENTERS: u32 = 3;
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
            self.judge(is_cut);
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
        self.looks.flushed();
        if self.is_large() {
            self.shrink();
        }
        // The kernel may have refused before and not now, but nobody has filled the queue since.
        let left_over = self.may_queue() || !self.ready.is_empty();
        Flushed { delivered, again: self.kernel_refuses || left_over }
    }

    /// Whether something holds more than what is always kept.
    #[inline(always)]
    fn is_large(&self) -> bool {
        let most = self.ready.capacity().max(self.unarmed.capacity());
        most.max(self.by_descriptor.slots()).max(self.deadlines.slots()) > KEPT_SLOTS
    }

    /// After a burst, gives its memory back.
    #[cold]
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
        let is_prepared = held.apart.is_none() && !matches!(held.operation, Operation::Close(_));
        if !is_prepared && !self.prepare(key) {
            self.table.enqueue_first(key);
            return false;
        }
        let stage = self.table.machine(key).map_or(Stage::Attempt, Machine::stage);
        let Some(held) = self.table.payload(key) else { return true };
        let (asynchronous, needs_worker) = (held.asynchronous, held.needs_worker);
        let between = match stage {
            Stage::Attempt => None,
            _ => stage_work(held, stage),
        };
        let queued = match between {
            None => self.queue_operation(key, asynchronous),
            Some((work, in_worker)) => self.queue(Tag::new(Kind::Target, key), work, in_worker),
        };
        if queued.is_ok() {
            self.table.submitted(key, asynchronous && !needs_worker);
            if !is_prepared && self.is_kernels_close(key) {
                self.closes_queued.push((key, self.kernel.queued()));
            }
            return true;
        }
        if let Some(held) = self.table.payload_mut(key) {
            // What is closed says so itself.
            let _ = hold(&mut self.duplicates, held);
        }
        self.table.enqueue_first(key);
        false
    }

    /// Takes a file's position, or gives a close that may wait to a thread. Answers whether that could be done now.
    #[cold]
    fn prepare(&mut self, key: Key) -> bool {
        let Some(held) = self.table.payload_mut(key) else { return true };
        let number = held.operation.descriptor().map(Descriptor::number);
        if let (Some(apart), Some(number)) = (&mut held.apart, number) {
            if apart.moves == Move::Untaken {
                apart.moves = position::take(&mut held.operation, apart.kind, number);
            }
        }
        let Operation::Close(close) = &held.operation else { return true };
        let number = close.number();
        if close.is_begun() {
            return true;
        }
        self.looks.closed(number);
        // What was called before must find the file open.
        let is_elsewhere = closer::waits(self.kernel.look(number).kind, number);
        if !is_elsewhere || !self.enter(0) {
            return !is_elsewhere;
        }
        if let Some(held) = self.table.payload_mut(key) {
            if let Operation::Close(close) = &mut held.operation {
                // Without a descriptor to tell of its end the kernel closes, and may wait.
                let _ = close.begin();
            }
        }
        true
    }

    /// Whether the kernel itself closes for it. (Of one that a thread does it only polls the end.)
    #[inline]
    fn is_kernels_close(&self, key: Key) -> bool {
        let operation = self.table.payload(key).map(|held| &held.operation);
        matches!(operation, Some(Operation::Close(close)) if !close.is_begun())
    }

    #[inline(always)]
    fn queue_operation(&mut self, key: Key, asynchronous: bool) -> Result<(), QueueFull> {
        let Some(held) = self.table.payload(key) else { return Ok(()) };
        let tag = Tag::new(Kind::Target, key);
        // SAFETY: as in `queue`.
        let queued = unsafe { held.operation.queue(&mut self.kernel, tag, asynchronous) };
        if queued.is_ok() {
            return queued;
        }
        self.queue_operation_again(key, asynchronous)
    }

    /// There was no room: perhaps there is when the kernel has taken what is queued.
    #[cold]
    fn queue_operation_again(&mut self, key: Key, asynchronous: bool) -> Result<(), QueueFull> {
        if !self.enter(0) {
            return Err(QueueFull);
        }
        let Some(held) = self.table.payload(key) else { return Ok(()) };
        // SAFETY: as in `queue`.
        unsafe { held.operation.queue(&mut self.kernel, Tag::new(Kind::Target, key), asynchronous) }
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
        let (mut interrupted, mut forbidden) = (0, 0);
        loop {
            let queued = self.kernel.queued();
            if queued == 0 && wanted == 0 && !self.kernel.has_backlog() {
                return true;
            }
            if self.forbidden.is_some() {
                return false;
            }
            match self.kernel.enter(wanted) {
                Ok(()) if self.kernel.queued() == 0 => {
                    self.closes_queued.clear();
                    return true;
                }
                // An SQE that failed early may end the batch: the rest goes with the next call.
                Ok(()) if self.kernel.queued() < queued => {
                    self.closes_taken(queued - self.kernel.queued());
                }
                Err(error) if !is_passing(&error) => {
                    forbidden += 1;
                    if forbidden == MAX_FORBIDDEN_ENTERS {
                        self.forbidden = Some(error.raw_os_error().unwrap_or(libc::EIO));
                        return false;
                    }
                }
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {
                    interrupted += 1;
                    if wanted > 0 || interrupted == MAX_INTERRUPTED_ENTERS {
                        let is_held_back = wanted == 0 && self.kernel.has_backlog();
                        self.kernel_refuses = self.kernel.queued() > 0 || is_held_back;
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
    pub(super) fn complete(&mut self, cqe: Cqe) -> Option<Completion<C>> {
        let tag = Tag::from_user_data(cqe.user_data)?;
        let key = tag.key();
        match tag.kind() {
            Kind::Target => {
                let held = self.table.payload(key)?;
                let result = held.operation.translate(cqe.result);
                let Cqe { more, notification, .. } = cqe;
                let is_missed = result == -libc::EAGAIN && held.waits && !more && !notification;
                let event = if is_missed && self.may_wait(key) {
                    Event::TargetNotReady
                } else {
                    Event::TargetCompleted { result, more, notification }
                };
                let Outcome { actions, settled } = self.table.apply(key, event);
                if actions.resubmit {
                    self.resubmit(key);
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

    /// Whether an operation that found nothing there can wait for it: not if its number was closed meanwhile, and nobody holds
    /// the file.
    #[cold]
    fn may_wait(&mut self, key: Key) -> bool {
        let is_asked = self.table.machine(key).is_some_and(Machine::is_cancel_asked);
        let Some(held) = self.table.payload_mut(key) else { return false };
        is_asked || hold(&mut self.duplicates, held).is_ok()
    }

    /// An operation goes to the kernel once more.
    #[cold]
    fn resubmit(&mut self, key: Key) {
        let machine = self.table.machine(key);
        let is_asynchronous = machine.is_some_and(Machine::is_asynchronous);
        let Some(held) = self.table.payload_mut(key) else { return };
        held.asynchronous = is_asynchronous || held.needs_worker;
        self.table.enqueue_first(key);
    }

    /// Makes a settled operation its client's. `parked`: it never ran, so nobody's turn has come.
    #[inline(always)]
    pub(super) fn finish(&mut self, settled: Settled<Held<C>>, parked: bool) -> Completion<C> {
        let Settled { key, verdict, attempts, cancel_asked, payload } = settled;
        let Held { client, operation, number, timed_out, apart, .. } = payload;
        self.deadlines.clear(key.slot());
        self.stats.completed += 1;
        self.stats.rescued += u64::from(attempts > 1 && verdict != Verdict::Stuck);
        if let Some(apart) = apart {
            self.finish_apart(*apart, parked, verdict, &operation);
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

    /// Leaves its line, and its place among the workers.
    #[inline(never)]
    fn finish_apart(
        &mut self,
        apart: Apart,
        parked: bool,
        verdict: Verdict,
        operation: &Operation,
    ) {
        let Apart { moves, line, ticket, .. } = apart;
        if let Some(line) = line {
            self.move_position(line, moves, verdict, operation);
            if !parked {
                self.next_in_line(line);
            }
        }
        if verdict == Verdict::Stuck {
            // Its worker waits on.
            std::mem::forget(ticket);
        }
    }

    /// Brings a file's position to where the operation's bytes end.
    fn move_position(&self, line: LineKey, moves: Move, verdict: Verdict, operation: &Operation) {
        let done = match verdict {
            Verdict::Completed(done) => u32::try_from(done).unwrap_or(0),
            _ => 0,
        };
        if position::is_settled(moves, done) {
            return;
        }
        let number = match operation.descriptor() {
            Some(Descriptor::Held(file)) => std::os::fd::AsRawFd::as_raw_fd(&**file),
            // Its owner may have closed it meanwhile, and another file got its number.
            Some(Descriptor::Borrowed(number))
                if self.lines.identity(line) == Some(self.kernel.look(*number).identity) =>
            {
                *number
            }
            _ => return,
        };
        position::settle(moves, done, number);
    }

    /// The operation that ran in a line ended: the next one may run.
    pub(super) fn next_in_line(&mut self, line: LineKey) {
        let Some(parked) = self.lines.leave(line) else { return };
        if let Some(key) = self.table.unpark_first(parked) {
            if let Some(held) = self.table.payload_mut(key) {
                held.parked = false;
            }
            self.table.enqueue(key);
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
        self.begin_drain();
        let Some(deadline) = self.earliest_deadline() else { return };
        if let Some((tag, work)) = self.timer.plan(deadline) {
            if self.queue(tag, work, false).is_ok() {
                self.timer.queued(tag, deadline);
                self.enter(0);
            }
        }
    }
}

/// What an operation asks for between two attempts, and whether a worker must do it.
#[cold]
fn stage_work<C>(held: &Held<C>, stage: Stage) -> Option<(Work, bool)> {
    let events = match held.operation.access() {
        Access::Write => libc::POLLOUT,
        _ => libc::POLLIN,
    };
    match (stage, held.operation.descriptor()) {
        (Stage::Pause(number), _) => Some((Work::Pause { number }, false)),
        (_, Some(descriptor)) => {
            let work = Work::Poll { descriptor: descriptor.number(), events: events as u32 };
            // A FUSE server is asked for a poll, too.
            Some((work, held.apart.as_ref().is_some_and(|apart| apart.kind == FileKind::Fuse)))
        }
        (_, None) => None,
    }
}

/// Its descriptor is looked up late now, and its number may mean another file by then. Where no duplicate can be had (EMFILE),
/// the number must do; an error if it is closed.
#[cold]
fn hold<C>(duplicates: &mut Duplicates, held: &mut Held<C>) -> std::io::Result<()> {
    if let Some(place @ Descriptor::Borrowed(_)) = held.operation.descriptor_mut() {
        match duplicates.get(place.number(), None) {
            Ok(duplicate) => *place = duplicate,
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Whether what `enter` answered ends by itself.
fn is_passing(error: &std::io::Error) -> bool {
    let errno = error.raw_os_error().unwrap_or(0);
    matches!(errno, libc::EINTR | libc::EAGAIN | libc::EBUSY | libc::ENOMEM)
}

#[derive(Default)]
struct Reaped {
    delivered: usize,
    /// What `sink` says that they cost.
    spent: usize,
    cqes: usize,
}

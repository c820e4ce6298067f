//! The driver of the table: what `Ring` does with it, call by call, without descriptors, memory and
//! statistics (`ring.rs`, `ring/traffic.rs`, `ring/life.rs`, `ring/lines.rs` of the library).
//!
//! Three differences make it do more than the ring, never less: a step of the ring's `fill` is a step
//! of the model, so that anything may come between two of them; a deadline starts at once and not at the
//! end of a flush; and any deadline may be over at any time, in any order.

use crate::configuration::{Configuration, MAX_OPERATIONS};
use crate::defect::Defect;
use crate::expected::{is_interruption, Asks, Said};
use crate::world::{Cqe, World};
use uring_safe_cancel::machine::{Event, Machine, Stage, Verdict};
use uring_safe_cancel::table::{Limits, List, Outcome, Settled, Table};
use uring_safe_cancel::tag::{Key, Kind, Tag};

/// What a slot of the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// Which operation.
    pub operation: u8,
    /// Whether the next submission carries `IOSQE_ASYNC`.
    pub asynchronous: bool,
    /// Whether -EAGAIN says that nothing is there yet.
    pub waits: bool,
    /// Whether it stands in the line for the file's position.
    pub in_line: bool,
    /// Whether it is parked there.
    pub parked: bool,
}

/// The deadlines of one slot, each with the operation that it was set for. The ring knows only the slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Deadlines {
    /// The next cancel.
    pub retry: Option<u8>,
    /// The report that the operation is stuck.
    pub stuck: Option<u8>,
    /// The operation's own timeout.
    pub timeout: Option<u8>,
}

/// The line at the position of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Line {
    running: bool,
    parked: List,
}

/// What a CQE came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// The operation settled.
    pub settled: Option<Verdict>,
    /// The operation is to be submitted again.
    pub resubmitted: bool,
}

/// The driver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Driver {
    table: Table<Held>,
    /// By slot.
    deadlines: [Deadlines; MAX_OPERATIONS],
    line: Line,
}

impl Driver {
    /// A driver of an empty table.
    pub fn new(configuration: &Configuration) -> Self {
        let miscounted = configuration.defect == Some(Defect::MiscountsTheQueue);
        let completions = configuration.completions + u32::from(miscounted);
        let limits = Limits { completions, waiting: configuration.waiting };
        Self {
            table: Table::new(limits, configuration.policy.clone()),
            deadlines: Default::default(),
            line: Line::default(),
        }
    }

    /// The table.
    pub fn table(&self) -> &Table<Held> {
        &self.table
    }

    /// The deadlines that run, by slot.
    pub fn deadlines(&self) -> &[Deadlines; MAX_OPERATIONS] {
        &self.deadlines
    }

    /// Takes an operation (`Ring::submit`). `full`: the submission queue is.
    pub fn submit(
        &mut self,
        configuration: &Configuration,
        operation: usize,
        full: bool,
        world: &mut World,
    ) -> Key {
        let in_line = configuration.in_line;
        let parked = in_line && self.line.running;
        let queues = parked || self.would_wait();
        let asynchronous = configuration.asynchronous[operation];
        let waits = configuration.waits[operation];
        let held = Held { operation: operation as u8, asynchronous, waits, in_line, parked };
        let key = self.table.insert(held).expect("the client looks first");
        if configuration.timeouts {
            self.deadlines[key.slot() as usize].timeout = Some(held.operation);
        }
        if parked {
            self.table.park(&mut self.line.parked, key);
        } else if in_line {
            self.line.running = true;
        }
        if !queues {
            self.start(configuration, key, full, world);
        } else if !parked {
            self.table.enqueue(key);
        }
        key
    }

    /// Whether the next operation would wait in the queue (`Ring::is_full`).
    pub fn would_wait(&self) -> bool {
        !self.table.is_queue_empty() || !self.table.may_submit()
    }

    /// Whether [`Driver::fill`] would find something to do (`Ring::may_queue`).
    pub fn may_queue(&self) -> bool {
        self.table.may_cancel() || (!self.table.is_queue_empty() && self.table.may_submit())
    }

    /// One step of `Ring::fill`: the next cancel, or if there is none, the next operation.
    pub fn fill(&mut self, configuration: &Configuration, full: bool, world: &mut World) {
        if let Some(key) = self.table.next_cancel() {
            let target = Tag::new(Kind::Target, key);
            if full {
                if configuration.defect != Some(Defect::ForgetsTheCancel) {
                    self.table.put_back_cancel(key);
                }
                return;
            }
            world.queue_cancel(Tag::new(Kind::Cancel, key).user_data(), target.user_data());
            let operation = self.table.payload(key).map(|held| held.operation);
            let outcome = self.table.apply(key, Event::CancelIssued);
            let retries = configuration.defect != Some(Defect::ForgetsTheRetry);
            if outcome.actions.arm_retry.is_some() && retries {
                self.deadlines[key.slot() as usize].retry = operation;
            }
        } else if let Some(key) = self.table.next_waiting() {
            self.start(configuration, key, full, world);
        }
    }

    /// Queues an operation's SQE (`Ring::start`).
    fn start(&mut self, configuration: &Configuration, key: Key, full: bool, world: &mut World) {
        let Some(&held) = self.table.payload(key) else { return };
        if full {
            self.table.enqueue_first(key);
            return;
        }
        let user_data = Tag::new(Kind::Target, key).user_data();
        let asks = match self.stage(key) {
            _ if configuration.defect == Some(Defect::TriesWithoutAPoll) => Asks::Attempt,
            Stage::Attempt => Asks::Attempt,
            Stage::Poll => Asks::Poll,
            Stage::Pause(number) => Asks::Pause(number),
        };
        let Held { operation, asynchronous, waits, .. } = held;
        let said = Said { asks, waits, asynchronous, delivered: None, failed: None };
        world.queue_target(user_data, operation, said);
        self.table.submitted(key, held.asynchronous);
    }

    fn stage(&self, key: Key) -> Stage {
        self.table.machine(key).map_or(Stage::Attempt, Machine::stage)
    }

    /// A CQE of an operation came (`Ring::complete`).
    pub fn complete(&mut self, configuration: &Configuration, cqe: Cqe, world: &mut World) -> Came {
        let Some(tag) = Tag::from_user_data(cqe.user_data) else { return Came::default() };
        let key = tag.key();
        let Some(&held) = self.table.payload(key) else { return Came::default() };
        let Cqe { result, more, notification, .. } = cqe;
        let is_poll = self.stage(key) != Stage::Attempt;
        if configuration.defect == Some(Defect::TrustsThePoll) && is_poll && result >= 0 {
            world.settle(held.operation, Verdict::Completed(result), false);
        }
        let event = if result == -libc::EAGAIN && held.waits && !more && !notification {
            Event::TargetNotReady
        } else {
            Event::TargetCompleted { result, more, notification }
        };
        let Outcome { actions, settled } = self.table.apply(key, event);
        if actions.resubmit {
            if let Some(held) = self.table.payload_mut(key) {
                held.asynchronous &= is_interruption(result);
            }
            if configuration.defect != Some(Defect::ForgetsTheResubmission) {
                self.table.enqueue_first(key);
            }
        }
        let wrong_error = configuration.defect == Some(Defect::PassesRestartsOn) && result == -512;
        let settled = settled.map(|mut settled| {
            if wrong_error {
                settled.verdict = Verdict::Failed(512);
            }
            self.finish(configuration, settled, false, world)
        });
        Came { settled, resubmitted: actions.resubmit }
    }

    /// A cancel's CQE came (`Ring::complete`).
    pub fn answered(
        &mut self,
        configuration: &Configuration,
        user_data: u64,
        answer: i32,
        world: &mut World,
    ) {
        let Some(tag) = Tag::from_user_data(user_data) else { return };
        let key = tag.key();
        if configuration.defect == Some(Defect::TrustsTheAnswer)
            && (answer >= 0 || answer == -libc::ENOENT)
        {
            if let Some(held) = self.table.payload(key) {
                world.settle(held.operation, Verdict::Cancelled, false);
            }
        }
        self.table.apply(key, Event::CancelAnswered(answer));
    }

    /// Somebody wants an operation to end (`Ring::ask_cancel`). Whether that ended it.
    pub fn cancel(
        &mut self,
        configuration: &Configuration,
        key: Key,
        world: &mut World,
    ) -> Option<Verdict> {
        let &Held { parked, operation, .. } = self.table.payload(key)?;
        let machine = self.table.machine(key)?;
        if machine.is_cancel_asked() {
            if !self.table.policy().reissue {
                self.table.apply(key, Event::RetryDue);
            }
            return None;
        }
        if configuration.defect == Some(Defect::ForgetsTheWish) && !machine.is_waiting() {
            return None;
        }
        let polls = machine.is_in_flight() && machine.stage() != Stage::Attempt;
        match configuration.defect {
            Some(Defect::ForgetsTheWishWhilePolling) if polls => return None,
            Some(Defect::EndsThePollAtOnce) if polls => {
                world.settle(operation, Verdict::Cancelled, false);
            }
            _ => {}
        }
        if parked {
            if let Some(held) = self.table.payload_mut(key) {
                held.parked = false;
            }
            self.table.unpark(&mut self.line.parked, key);
        }
        let outcome = self.table.apply(key, Event::CancelAsked);
        if outcome.actions.arm_stuck.is_some() && configuration.reports_stuck {
            self.deadlines[key.slot() as usize].stuck = Some(operation);
        }
        outcome.settled.map(|settled| self.finish(configuration, settled, parked, world))
    }

    /// Makes a settled operation its client's (`Ring::finish`).
    fn finish(
        &mut self,
        configuration: &Configuration,
        settled: Settled<Held>,
        parked: bool,
        world: &mut World,
    ) -> Verdict {
        let Settled { key, mut verdict, cancel_asked, payload, .. } = settled;
        match configuration.defect {
            Some(Defect::DiscardsResults) if cancel_asked => verdict = Verdict::Cancelled,
            Some(Defect::ReusesTheSlotAtOnce)
                if verdict != Verdict::Stuck && self.is_cancel_outstanding(key) =>
            {
                self.table.apply(key, Event::CancelAnswered(0));
            }
            _ => {}
        }
        if configuration.defect != Some(Defect::KeepsDeadlines) {
            self.deadlines[key.slot() as usize] = Deadlines::default();
        }
        if payload.in_line && !parked {
            self.next_in_line();
        }
        let leaked =
            verdict == Verdict::Stuck && configuration.defect != Some(Defect::FreesTheStuck);
        world.settle(payload.operation, verdict, leaked);
        verdict
    }

    fn is_cancel_outstanding(&self, key: Key) -> bool {
        self.table.machine(key).is_some_and(|machine| machine.is_cancel_outstanding())
    }

    /// Whoever ran at the file's position ended (`Ring::next_in_line`, `Lines::leave`).
    fn next_in_line(&mut self) {
        self.line.running = !self.line.parked.is_empty();
        if let Some(key) = self.table.unpark_first(&mut self.line.parked) {
            if let Some(held) = self.table.payload_mut(key) {
                held.parked = false;
            }
            self.table.enqueue(key);
        }
    }

    /// A deadline of a slot is over (`Ring::judge_by_clock`). `which` says which, and is taken out.
    /// Returns whom it reached.
    pub fn due(
        &mut self,
        configuration: &Configuration,
        slot: u32,
        due: Due,
        world: &mut World,
    ) -> Option<u8> {
        let deadlines = &mut self.deadlines[slot as usize];
        let deadline = match due {
            Due::Retry => &mut deadlines.retry,
            Due::Stuck => &mut deadlines.stuck,
            Due::Timeout => &mut deadlines.timeout,
        };
        if configuration.defect != Some(Defect::RepeatsDeadlines) {
            *deadline = None;
        }
        let key = self.table.key_in(slot)?;
        let operation = self.table.payload(key)?.operation;
        match due {
            Due::Retry => {
                self.table.apply(key, Event::RetryDue);
            }
            Due::Timeout => {
                self.cancel(configuration, key, world);
            }
            Due::Stuck => {
                let outcome = self.table.apply(key, Event::StuckDue);
                if outcome.actions.report_stuck {
                    world.report_stuck(operation);
                    if configuration.defect == Some(Defect::GivesUpByItself) {
                        self.abandon_one(configuration, key, world);
                    }
                }
            }
        }
        Some(operation)
    }

    /// Ends an operation that never reaches the kernel (`Ring::close_at_once`).
    pub fn close_at_once(
        &mut self,
        configuration: &Configuration,
        operation: usize,
        world: &mut World,
    ) -> (Key, Option<Verdict>) {
        let operation = operation as u8;
        let held =
            Held { operation, asynchronous: false, waits: false, in_line: false, parked: false };
        let key = self.table.insert_beyond_limit(held);
        let settled = self.table.apply(key, Event::Abandoned).settled;
        (key, settled.map(|settled| self.finish(configuration, settled, true, world)))
    }

    /// Gives everything up (`Ring::abandon`).
    pub fn abandon(&mut self, configuration: &Configuration, world: &mut World) {
        let keys: Vec<Key> = self.table.unsettled_keys().collect();
        for &key in &keys {
            if let Some(held) = self.table.payload(key) {
                world.ask(held.operation);
            }
            self.cancel(configuration, key, world);
        }
        let keys: Vec<Key> = self.table.unsettled_keys().collect();
        for key in keys {
            self.abandon_one(configuration, key, world);
        }
    }

    fn abandon_one(&mut self, configuration: &Configuration, key: Key, world: &mut World) {
        if let Some(settled) = self.table.apply(key, Event::Abandoned).settled {
            self.finish(configuration, settled, true, world);
        }
    }
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// The next cancel.
    Retry,
    /// The report that the operation is stuck.
    Stuck,
    /// The operation's own timeout.
    Timeout,
}

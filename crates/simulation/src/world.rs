//! The simulated machine: a virtual clock, the two queues, what is due when, and a record of each
//! operation. The ring sees it through [`SimulatedKernel`](crate::kernel::SimulatedKernel).

use crate::configuration::Configuration;
use crate::coverage::{Coverage, Fault};
use crate::lines::Lines;
use crate::record::{Kind, Record, Stage};
use crate::trace::{Step, Trace};
use crate::Sabotage;
use fastrand::Rng;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::os::fd::RawFd;
use uring_safe_cancel::kernel::decoded::Queued;
use uring_safe_cancel::kernel::{Cqe, Nanoseconds};
use uring_safe_cancel::tag::{Kind as TagKind, Tag};
use uring_safe_cancel::Key;

/// What happens at a time. Those of a target name its slot and the one event that it awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// An operation makes progress.
    Proceed(u32, u64),
    /// An operation's final CQE comes.
    Finish(u32, u64, i32),
    /// A write's memory is free.
    Notify(u32, u64),
    /// The cancel of an operation is answered.
    Answer(u32, i32),
    /// The timer fires, if it is still set so.
    Timer(u64),
    /// A change of the timer is answered.
    Update(u64, i32),
}

/// The ring's timer in the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Timer {
    /// Its SQE.
    pub tag: Tag,
    /// When it fires.
    pub deadline: Nanoseconds,
    /// The event that it awaits.
    pub awaited: u64,
}

/// Nobody lives to see it, and no sum overflows before it: half of what the clock can show.
const NEVER: Nanoseconds = u64::MAX / 2;

/// See the [module](self).
#[derive(Debug)]
pub struct World {
    /// What this history is like.
    pub configuration: Configuration,
    /// The kernel's dice.
    pub random: Rng,
    /// The virtual clock.
    pub now: Nanoseconds,
    /// The kernel does its best from now on: no refusals, no errors, and each cancel works, but for
    /// operations that are silent for ever.
    pub honest: bool,
    /// What happened.
    pub trace: Trace,
    /// How often.
    pub coverage: Coverage,
    /// How the kernel's boundary is broken on purpose.
    pub sabotage: Option<Sabotage>,
    pub(crate) submissions: VecDeque<Queued>,
    pub(crate) completions: VecDeque<Cqe>,
    pub(crate) backlog: VecDeque<Cqe>,
    pub(crate) events: BinaryHeap<Reverse<(Nanoseconds, u64, Event)>>,
    pub(crate) sequence: u64,
    /// One for each slot of the ring's table.
    pub slots: Vec<Record>,
    /// Operations that ended without the kernel, wait for the next flush, and whose slot was taken since.
    pub ready: HashMap<Key, Record>,
    /// The operation that its client is submitting: the ring has not told its key yet.
    pub submitting: Option<Record>,
    /// The timer, while the kernel has it.
    pub timer: Option<Timer>,
    /// The timer's SQE that is on the way, whatever its stage.
    pub timer_on_the_way: Option<Tag>,
    /// The same of its change.
    pub update_on_the_way: Option<Tag>,
    /// Where the bytes are that the kernel may use, and whose.
    pub in_use: FxHashMap<usize, u32>,
    /// Targets on the way: queued, taken, or posted and not reaped.
    pub targets: u32,
    /// Cancels on the way.
    pub cancels: u32,
    /// Cancels that were queued.
    pub cancels_queued: u64,
    /// Those beyond the first of their operations.
    pub reissued: u64,
    /// The most of one operation.
    pub most_attempts: u32,
    /// Answers that the ring reaped: found, not found, already, other.
    pub answers: [u64; 4],
    /// Until then enter fails.
    pub outage_until: Nanoseconds,
    /// With this.
    pub outage: i32,
    /// A change of the timer was refused.
    pub has_refused_update: bool,
    /// The last enter failed, or took a part.
    pub has_refused: bool,
    /// Bytes of reads whose final CQE was reaped.
    pub delivered: u64,
    /// Operations that are silent now.
    pub silent: u32,
    /// The serial number of the operation that was queued last for the first time, lines apart.
    pub last_in_queue: u64,
    /// Who takes turns, and the positions of files.
    pub lines: Lines,
    /// Slots whose cancel was queued since the last flush ended.
    pub attempted: Vec<u32>,
    /// Operations with a timeout that were submitted since then.
    pub timeouts: Vec<Key>,
    /// When the ring last looked at the clock.
    pub clock_read_at: Nanoseconds,
    /// Whether the ring has looked at the clock in this flush.
    pub is_judging: bool,
    /// Numbers that the ring was asked to close, and has not.
    pub closing: HashSet<RawFd>,
    /// A file that every opened descriptor is a duplicate of.
    pub opens: RawFd,
    /// Descriptors that were opened, by the serial number of their operation, which has not settled.
    pub opened: Vec<(u64, RawFd)>,
    /// From then on no operation makes progress.
    pub frozen_from: Nanoseconds,
    /// The ring drains: it may cancel what nobody asked it to.
    pub draining: bool,
    /// The ring is gone.
    pub is_over: bool,
}

impl World {
    /// A machine with one ring's queues, all empty.
    pub fn new(configuration: Configuration, random: Rng, now: Nanoseconds) -> Self {
        Self {
            configuration,
            random,
            now,
            honest: false,
            trace: Trace::default(),
            coverage: Coverage::default(),
            sabotage: None,
            submissions: VecDeque::new(),
            completions: VecDeque::new(),
            backlog: VecDeque::new(),
            events: BinaryHeap::new(),
            sequence: 0,
            slots: Vec::new(),
            ready: HashMap::new(),
            submitting: None,
            timer: None,
            timer_on_the_way: None,
            update_on_the_way: None,
            in_use: FxHashMap::default(),
            targets: 0,
            cancels: 0,
            cancels_queued: 0,
            reissued: 0,
            most_attempts: 0,
            answers: [0; 4],
            outage_until: 0,
            outage: 0,
            has_refused_update: false,
            has_refused: false,
            delivered: 0,
            silent: 0,
            last_in_queue: 0,
            lines: Lines::default(),
            attempted: Vec::new(),
            timeouts: Vec::new(),
            clock_read_at: now,
            is_judging: false,
            closing: HashSet::new(),
            opens: -1,
            opened: Vec::new(),
            frozen_from: NEVER,
            draining: false,
            is_over: false,
        }
    }

    /// Notes a step.
    #[inline]
    pub fn note(&mut self, step: Step) {
        self.trace.note(self.now, step);
    }

    /// The record of an operation that has not settled, or whose slot was not taken since.
    pub fn record(&mut self, key: Key) -> &mut Record {
        let record = &mut self.slots[key.slot() as usize];
        if record.generation == key.generation() {
            return record;
        }
        self.ready.get_mut(&key).expect("clause 6: another operation's slot")
    }

    /// Gives the operation that is being submitted the key that the ring gave it.
    pub fn bind(&mut self, key: Key) {
        let Some(mut record) = self.submitting.take() else { return };
        let slot = key.slot() as usize;
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, Record::default);
        }
        let before = &self.slots[slot];
        let may_be_ready = before.may_be_ready();
        assert!(!before.is_live() || may_be_ready, "clause 6: the slot of {before:?} is taken");
        assert_eq!(before.stage, Stage::Away, "clause 3: the kernel still has {before:?}");
        assert_eq!(before.cancel, Stage::Away, "clause 6: a cancel for {before:?} is on its way");
        assert!(
            before.serial == 0 || key.generation() > before.generation,
            "clause 6: the generation of {before:?} again"
        );
        record.generation = key.generation();
        record.key = Some(key);
        let before = std::mem::replace(&mut self.slots[slot], record);
        if let (true, Some(key)) = (before.is_live(), before.key) {
            self.ready.insert(key, before);
        }
    }

    /// The ring closed a descriptor by itself.
    pub fn closed_by_ring(&mut self, key: Key) {
        let number = std::mem::take(&mut self.record(key).closes);
        let is_first = number == 0 || self.closing.remove(&number);
        assert!(is_first, "clause 6: a number is closed twice");
    }

    /// How many SQEs are on the way, and have room in the completion queue.
    pub fn on_the_way(&self) -> u32 {
        self.targets
            + self.cancels
            + u32::from(self.timer_on_the_way.is_some())
            + u32::from(self.update_on_the_way.is_some())
    }

    /// Whether enter fails, and goes on to.
    pub fn is_in_outage(&self) -> bool {
        !self.honest && self.now < self.outage_until
    }

    /// Whether the ring's descriptor is readable.
    pub fn is_readable(&self) -> bool {
        !self.completions.is_empty() || !self.backlog.is_empty()
    }

    /// A time from one step of an operation to the next.
    pub fn delay(&mut self) -> Nanoseconds {
        /// An honest kernel's: a cancel that works has its CQE within 0.02 ms.
        const HONEST: Nanoseconds = 20_000;
        let habits = &self.configuration.kernel;
        if habits.at_once.happens(&mut self.random) {
            return 0;
        }
        let most = if self.honest { habits.delay.min(HONEST) } else { habits.delay };
        // Mostly short ones, and a few as long as can be.
        let spread = [most / 16, most / 4, most][self.random.usize(..3)];
        self.random.u64(..=spread)
    }

    /// Lets something happen later. Returns what it can be told by.
    pub fn schedule(&mut self, delay: Nanoseconds, event: impl FnOnce(u64) -> Event) -> u64 {
        self.sequence += 1;
        let sequence = self.sequence;
        let at = self.now.saturating_add(delay);
        self.events.push(Reverse((at, sequence, event(sequence))));
        sequence
    }

    /// Lets the next thing happen to an operation after a delay, instead of what was to happen.
    pub fn await_event(&mut self, slot: u32, delay: Nanoseconds, event: impl FnOnce(u64) -> Event) {
        let awaited = self.schedule(delay, event);
        self.slots[slot as usize].awaited = awaited;
    }

    fn is_stale(&self, event: Event) -> bool {
        match event {
            Event::Proceed(slot, awaited)
            | Event::Finish(slot, awaited, _)
            | Event::Notify(slot, awaited) => self.slots[slot as usize].awaited != awaited,
            Event::Timer(awaited) => self.timer.is_none_or(|timer| timer.awaited != awaited),
            Event::Answer(..) | Event::Update(..) => false,
        }
    }

    /// When something happens next by itself.
    pub fn next_event(&mut self) -> Option<Nanoseconds> {
        while let Some(&Reverse((at, _, event))) = self.events.peek() {
            if !self.is_stale(event) {
                return (at < NEVER).then_some(at);
            }
            self.events.pop();
        }
        None
    }

    /// Lets time pass.
    pub fn advance_to(&mut self, time: Nanoseconds) {
        while let Some(at) = self.next_event().filter(|&at| at <= time) {
            let Some(Reverse((_, _, event))) = self.events.pop() else { break };
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(time);
    }

    /// A CQE comes.
    pub(crate) fn post(&mut self, user_data: u64, result: i32, more: bool, notification: bool) {
        let told = self.told(user_data, result);
        self.note(Step::Post(user_data, told, more, notification));
        let cqe = Cqe { user_data, result, more, notification };
        let is_full = self.completions.len() >= self.configuration.completions as usize;
        let held_back =
            !self.honest && self.configuration.kernel.held_back.happens(&mut self.random);
        if is_full {
            self.coverage.count(Fault::CompletionQueueFull);
        } else if held_back {
            self.coverage.count(Fault::HeldBack);
        }
        // Once something is held back, all that follows is: the order of CQEs stays.
        if is_full || held_back || !self.backlog.is_empty() {
            self.backlog.push_back(cqe);
        } else {
            self.completions.push_back(cqe);
        }
    }

    /// A result as the trace has it: descriptor numbers differ from run to run.
    pub(crate) fn told(&self, user_data: u64, result: i32) -> i32 {
        let tag = Tag::from_user_data(user_data).filter(|tag| tag.kind() == TagKind::Target);
        let record = tag.and_then(|tag| self.slots.get(tag.key().slot() as usize));
        let is_open = record.is_some_and(|record| record.kind == Kind::Open);
        if is_open {
            result.min(0)
        } else {
            result
        }
    }

    /// The final CQE of an operation is there: its memory is no longer the kernel's.
    pub(crate) fn post_final(&mut self, slot: u32, result: i32, notification: bool) {
        let record = &mut self.slots[slot as usize];
        assert_eq!(record.stage, Stage::Taken);
        record.stage = Stage::Posted;
        record.posted_at = Some(self.now);
        record.awaited = 0;
        if !notification {
            match result {
                0.. => record.count = Some(record.count.unwrap_or(0) + result),
                error => record.error = error,
            }
        }
        if record.silent {
            record.silent = false;
            self.silent -= 1;
        }
        if self.slots[slot as usize].cancel != Stage::Away {
            self.coverage.count(Fault::AnsweredLate);
        }
        self.release(slot);
        let tag = self.slots[slot as usize].tag;
        self.post(tag, result, false, notification);
    }

    /// Forgets which memory was an operation's.
    pub(crate) fn release(&mut self, slot: u32) {
        let record = &self.slots[slot as usize];
        for &(address, length) in &record.parts {
            if length > 0 {
                self.in_use.remove(&address);
            }
        }
        self.in_use.remove(&record.pointed);
    }
}

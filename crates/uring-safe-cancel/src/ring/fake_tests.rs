//! A kernel that does what a test tells it: takes some SQEs or none, answers cancels as scripted,
//! and completes operations only when it is told to. It checks on every SQE what the ring owes it:
//! no tag twice, and no more on the way than the completion queue has room for.

use crate::descriptor::{look, FileKind, Look};
use crate::kernel::decoded::{Decoded, Queued};
use crate::kernel::{Access, Cqe, Kernel, Nanoseconds, QueueFull, Submission, Way};
use crate::ring::{Completion, Extra, Flushed, Options, Ring};
use crate::tag::{Key, Kind, Tag};
use crate::{Operation, Verdict};
use io_uring::squeue::Entry;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

/// What one `enter` does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Enter {
    /// Fails with this errno.
    Refuse(i32),
    /// Takes at most so many SQEs.
    Take(usize),
}

/// What one cancel of an operation does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Script {
    /// What the cancel answers; nothing, if `None`.
    pub(super) answer: Option<i32>,
    /// What its target completes with, if it does.
    pub(super) target: Option<i32>,
    /// Whether the target's CQE comes before the answer.
    pub(super) target_first: bool,
}

pub(super) fn lost(answer: i32) -> Script {
    Script { answer: Some(answer), ..Script::default() }
}

pub(super) fn ends(answer: i32, target: i32) -> Script {
    Script { answer: Some(answer), target: Some(target), target_first: false }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) now: Nanoseconds,
    /// What the next calls of `enter` do; afterwards each takes everything.
    pub(super) enters: VecDeque<Enter>,
    /// What every call of `enter` does after those, if not that.
    pub(super) always: Option<Enter>,
    pub(super) entered: usize,
    /// What the next cancels do; afterwards each answers -EALREADY and does nothing.
    pub(super) cancels: VecDeque<Script>,
    /// Whether cancels beyond the scripted ones end their targets.
    pub(super) honest: bool,
    /// What a change of the timer answers, if it does not just work.
    pub(super) updates: VecDeque<i32>,
    /// Whether changes of the timer stay unanswered.
    pub(super) withhold_updates: bool,
    /// What operations complete with as soon as they are taken, if at all.
    pub(super) instant: Option<i32>,
    /// Whether its workers must not be given anything that can do without.
    pub(super) spares_workers: bool,
    /// What numbers mean, where a test says so.
    pub(super) kinds: HashMap<RawFd, FileKind>,
    /// How operations on a kind are to be handed over, where a test says so.
    pub(super) ways: HashMap<FileKind, Way>,
    /// Which numbers the ring has looked at.
    pub(super) looked: Vec<RawFd>,
    entries: usize,
    completions: usize,
    queue: VecDeque<Queued>,
    cqes: VecDeque<Cqe>,
    /// Whether what is posted stays inside the kernel until the next `enter` (overflow, task work).
    pub(super) holds_back: bool,
    held_back: VecDeque<Cqe>,
    /// Whether who waits is woken by the end of one operation, as if by its cancel.
    pub(super) trickles: bool,
    /// Tags whose final CQE has not been reaped.
    on_the_way: HashMap<u64, Queued>,
    timer: Option<(Tag, Nanoseconds)>,
    /// Every SQE that was taken.
    pub(super) taken: Vec<Queued>,
}

#[derive(Clone, Debug)]
pub(super) struct Fake(Rc<RefCell<State>>);

pub(super) type FakeRing = Ring<Fake, u32>;

const ENTRIES: u32 = 4;
const COMPLETIONS: u32 = 16;
/// How many operations can be in flight.
pub(super) const IN_FLIGHT: u32 = COMPLETIONS - 4;

/// A ring over four SQEs and sixteen CQEs, so that twelve operations can be in flight.
pub(super) fn ring() -> (FakeRing, Fake) {
    ring_with(Options::default())
}

pub(super) fn ring_with(options: Options) -> (FakeRing, Fake) {
    ring_of(ENTRIES, COMPLETIONS, options)
}

pub(super) fn ring_of(entries: u32, completions: u32, options: Options) -> (FakeRing, Fake) {
    let state = State {
        now: 1_000_000_000,
        entries: entries as usize,
        completions: completions as usize,
        ..State::default()
    };
    let fake = Fake(Rc::new(RefCell::new(state)));
    (Ring::new(fake.clone(), completions, options), fake)
}

impl Fake {
    /// Changes the script.
    pub(super) fn script<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.0.borrow_mut())
    }

    /// Completes an operation that was taken.
    pub(super) fn complete(&self, key: Key, result: i32) {
        self.post(key, result, false, false);
    }

    pub(super) fn post(&self, key: Key, result: i32, more: bool, notification: bool) {
        let user_data = Tag::new(Kind::Target, key).user_data();
        let mut state = self.0.borrow_mut();
        assert!(
            state.taken.iter().any(|taken| taken.tag.user_data() == user_data),
            "the kernel never saw {key:?}"
        );
        let cqe = Cqe { user_data, result, more, notification };
        match state.holds_back {
            true => state.held_back.push_back(cqe),
            false => state.cqes.push_back(cqe),
        }
    }

    /// Lets time pass; the timer fires if it is due.
    pub(super) fn pass(&self, time: Duration) {
        let mut state = self.0.borrow_mut();
        state.now += time.as_nanos() as u64;
        state.fire();
    }

    /// Answers the withheld changes of the timer.
    pub(super) fn answer_updates(&self, result: i32) {
        let mut state = self.0.borrow_mut();
        let tags: Vec<u64> = state
            .on_the_way
            .values()
            .filter(|s| s.tag.kind() == Kind::TimerUpdate)
            .map(|s| s.tag.user_data())
            .collect();
        tags.into_iter().for_each(|tag| state.answer(tag, result));
    }

    /// When the timer fires.
    pub(super) fn timer(&self) -> Option<Nanoseconds> {
        self.script(|s| s.timer).map(|(_, deadline)| deadline)
    }

    pub(super) fn now(&self) -> Nanoseconds {
        self.0.borrow().now
    }

    /// How often an operation's SQE was taken, and with which flags.
    pub(super) fn submissions(&self, key: Key) -> Vec<bool> {
        let tag = Tag::new(Kind::Target, key);
        let state = self.0.borrow();
        state.taken.iter().filter(|s| s.tag == tag).map(|s| s.asynchronous).collect()
    }

    /// What an operation's SQEs asked for.
    pub(super) fn works(&self, key: Key) -> Vec<Decoded> {
        let tag = Tag::new(Kind::Target, key);
        let state = self.0.borrow();
        state.taken.iter().filter(|s| s.tag == tag).map(|s| s.work).collect()
    }

    /// How many cancels of an operation were taken.
    pub(super) fn cancels(&self, key: Key) -> usize {
        let target = Tag::new(Kind::Target, key);
        let state = self.0.borrow();
        state.taken.iter().filter(|s| s.work == Decoded::Cancel { target }).count()
    }

    /// The operations that the kernel has.
    pub(super) fn held(&self) -> Vec<Key> {
        let state = self.0.borrow();
        let targets = state.taken.iter().filter(|s| s.tag.kind() == Kind::Target);
        let mut keys: Vec<Key> = targets
            .filter(|s| state.on_the_way.contains_key(&s.tag.user_data()))
            .filter(|s| {
                let posted = || state.cqes.iter().chain(&state.held_back);
                !posted().any(|cqe| cqe.user_data == s.tag.user_data())
            })
            .map(|s| s.tag.key())
            .collect();
        keys.sort_by_key(|key| (key.slot, key.generation));
        keys.dedup();
        keys
    }

    /// Whether CQEs wait: the descriptor is readable, and its owner is woken.
    pub(super) fn is_readable(&self) -> bool {
        !self.0.borrow().cqes.is_empty()
    }
}

impl State {
    fn fire(&mut self) {
        if let Some((tag, deadline)) = self.timer {
            if deadline <= self.now {
                self.timer = None;
                self.answer(tag.user_data(), -libc::ETIME);
            }
        }
    }

    /// Answers the cancels that were scripted without an answer.
    pub(super) fn answer_cancels(&mut self, result: i32) {
        let cancels = self.on_the_way.values().filter(|s| s.tag.kind() == Kind::Cancel);
        let tags: Vec<u64> = cancels.map(|s| s.tag.user_data()).collect();
        tags.into_iter().for_each(|tag| self.answer(tag, result));
    }

    fn answer(&mut self, user_data: u64, result: i32) {
        self.cqes.push_back(Cqe { user_data, result, more: false, notification: false });
    }

    fn take(&mut self, submission: Queued) {
        self.taken.push(submission);
        let tag = submission.tag.user_data();
        match submission.work {
            Decoded::Timer { deadline } => {
                assert!(self.timer.is_none(), "a second timer");
                self.timer = Some((submission.tag, deadline));
                self.fire();
            }
            Decoded::TimerUpdate { timer, deadline } => {
                let found = self.timer.filter(|&(tag, _)| tag == timer);
                let otherwise = if found.is_some() { 0 } else { -libc::ENOENT };
                let result = self.updates.pop_front().unwrap_or(otherwise);
                if let (Some((tag, _)), 0) = (found, result) {
                    self.timer = Some((tag, deadline));
                }
                if !self.withhold_updates {
                    self.answer(tag, result);
                }
                self.fire();
            }
            Decoded::Cancel { target } if target.kind() == Kind::Timer => {
                let found = self.timer.take_if(|&mut (tag, _)| tag == target);
                self.answer(tag, if found.is_some() { 0 } else { -libc::ENOENT });
                if found.is_some() {
                    self.answer(target.user_data(), -libc::ECANCELED);
                }
            }
            Decoded::Cancel { target } => {
                assert_eq!(target.kind(), Kind::Target);
                let (tagged, done) = (target.user_data(), |cqe: &Cqe| cqe.user_data);
                let has_it = self.on_the_way.contains_key(&tagged)
                    && !self.cqes.iter().any(|cqe| done(cqe) == tagged && !cqe.more);
                let otherwise = match self.honest {
                    true if has_it => ends(0, -libc::ECANCELED),
                    true => lost(-libc::ENOENT),
                    false => lost(-libc::EALREADY),
                };
                let mut script = self.cancels.pop_front().unwrap_or(otherwise);
                script.target = script.target.filter(|_| has_it);
                let answers = [
                    script.answer.map(|result| (tag, result)),
                    script.target.map(|result| (target.user_data(), result)),
                ];
                let [one, other] = answers;
                let order = if script.target_first { [other, one] } else { [one, other] };
                for (tag, result) in order.into_iter().flatten() {
                    self.answer(tag, result);
                }
            }
            _ => {
                if let Some(result) = self.instant {
                    self.answer(tag, result);
                }
            }
        }
    }
}

impl Fake {
    fn put(&mut self, submission: Queued) -> Result<(), QueueFull> {
        let mut state = self.0.borrow_mut();
        if state.queue.len() == state.entries {
            return Err(QueueFull);
        }
        let earlier = state.on_the_way.insert(submission.tag.user_data(), submission);
        assert_eq!(earlier, None, "clause 6: the tag is on the way already");
        assert!(
            state.on_the_way.len() <= state.completions,
            "clause 7: more on the way than the completion queue has room for: {:?}",
            state.on_the_way
        );
        let timers = state.on_the_way.values().filter(|s| s.tag.key().slot == 0);
        let kinds = [Kind::Timer, Kind::TimerUpdate];
        let timers = timers.filter(|s| kinds.contains(&s.tag.kind())).count();
        assert!(timers <= 2, "clause 7: the timer takes more than its reserve");
        state.queue.push_back(submission);
        Ok(())
    }
}

impl Kernel for Fake {
    unsafe fn queue(&mut self, submission: &Submission) -> Result<(), QueueFull> {
        self.put(Queued::of_ring(submission))
    }

    unsafe fn queue_entry(
        &mut self,
        tag: Tag,
        entry: Entry,
        asynchronous: bool,
    ) -> Result<(), QueueFull> {
        self.put(Queued::of_operation(tag, &entry, asynchronous))
    }

    fn queued(&self) -> u32 {
        self.0.borrow().queue.len() as u32
    }

    fn has_backlog(&self) -> bool {
        !self.0.borrow().held_back.is_empty()
    }

    fn enter(&mut self, wanted: u32) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.entered += 1;
        assert!(state.entered < 100_000, "the ring calls enter for ever");
        let everything = Enter::Take(usize::MAX);
        let how = state.enters.pop_front().or(state.always).unwrap_or(everything);
        match how {
            Enter::Refuse(errno) => return Err(io::Error::from_raw_os_error(errno)),
            Enter::Take(most) => {
                for _ in 0..most {
                    let Some(submission) = state.queue.pop_front() else { break };
                    state.take(submission);
                }
            }
        }
        let State { cqes, held_back, .. } = &mut *state;
        cqes.append(held_back);
        if wanted > 0 && state.cqes.is_empty() {
            if state.trickles {
                let mut targets: Vec<u64> = state.on_the_way.keys().copied().collect();
                targets.retain(|tag| state.on_the_way[tag].tag.kind() == Kind::Target);
                let first = targets.into_iter().min().expect("asleep for ever");
                state.answer(first, -libc::ECANCELED);
                return Ok(());
            }
            // What a thread asleep would be woken by.
            let (_, deadline) = state.timer.expect("asleep for ever");
            state.now = deadline;
            state.fire();
        }
        Ok(())
    }

    fn reap(&mut self) -> Option<Cqe> {
        let mut state = self.0.borrow_mut();
        let cqe = state.cqes.pop_front()?;
        if !cqe.more {
            state.on_the_way.remove(&cqe.user_data);
        }
        Some(cqe)
    }

    fn now(&self) -> Nanoseconds {
        self.0.borrow().now
    }

    /// What tests name by a number alone is nothing that is open; their files are.
    fn look(&self, number: RawFd) -> Look {
        let mut state = self.0.borrow_mut();
        state.looked.push(number);
        match state.kinds.get(&number) {
            Some(&kind) => Look::at(kind),
            None if number > libc::STDERR_FILENO => look(number),
            None => Look::at(FileKind::Unknown),
        }
    }

    fn way(&self, _number: RawFd, kind: FileKind, _access: Access, is_wanted: bool) -> Way {
        let state = self.0.borrow();
        match (state.ways.get(&kind), is_wanted && !state.spares_workers) {
            (Some(&way), _) => way,
            (None, true) => Way::Hinted,
            (None, false) => Way::Plain,
        }
    }
}

/// Flushes with a limit; clients and verdicts, and what the flush said.
pub(super) fn flush(ring: &mut FakeRing, limit: usize) -> (Vec<(u32, Verdict)>, Flushed) {
    let mut done = Vec::new();
    let flushed = ring.flush(limit, &mut |completion| done.push(completion));
    assert_eq!(flushed.delivered, done.len());
    (done.iter().map(|completion| (completion.client, completion.verdict)).collect(), flushed)
}

/// Flushes; clients and verdicts.
pub(super) fn settle(ring: &mut FakeRing) -> Vec<(u32, Verdict)> {
    flush(ring, usize::MAX).0
}

/// Flushes; the completions.
pub(super) fn completions(ring: &mut FakeRing) -> Vec<Completion<u32>> {
    let mut done = Vec::new();
    ring.flush(usize::MAX, &mut |completion| done.push(completion));
    done
}

pub(super) fn submit(ring: &mut FakeRing, operation: impl Into<Operation>, client: u32) -> Key {
    submit_with(ring, operation, Extra::default(), client)
}

pub(super) fn submit_with(
    ring: &mut FakeRing,
    operation: impl Into<Operation>,
    extra: Extra,
    client: u32,
) -> Key {
    ring.submit(operation.into(), extra, client).map_err(|refused| refused.refusal).expect("room")
}

/// Flushes as an owner does who sleeps until the kernel or the last flush wakes him, and then stops.
pub(super) fn run(ring: &mut FakeRing, fake: &Fake) -> Vec<(u32, Verdict)> {
    let mut done = Vec::new();
    loop {
        let (some, flushed) = flush(ring, usize::MAX);
        done.extend(some);
        if !flushed.again && !fake.is_readable() {
            return done;
        }
    }
}

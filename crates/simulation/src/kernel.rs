//! The boundary: what the ring calls.

mod access;
mod cancel;
mod outcome;
mod queue;
mod take;
mod timer;

pub use access::{await_event, close, duplicate, grow, inode, seek, seek_end, Probe};
pub use take::nanoseconds;

use crate::coverage::Fault;
use crate::record::{Asks, Stage};
use crate::trace::Step;
use crate::world::{Event, World};
use crate::Sabotage;
use std::cell::RefCell;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use uring_safe_cancel::descriptor::{FileKind, Look};
use uring_safe_cancel::kernel::decoded::Queued;
use uring_safe_cancel::kernel::{
    Access, Cqe, Entry, Kernel, Nanoseconds, QueueFull, Submission, Way,
};
use uring_safe_cancel::tag::{Kind as TagKind, Tag};

/// A [`World`] as the ring sees it.
#[derive(Clone, Debug)]
pub struct SimulatedKernel(pub Rc<RefCell<World>>);

/// What a system call costs, at most, in nanoseconds.
const ENTER_COST: Nanoseconds = 2_000;

impl Kernel for SimulatedKernel {
    unsafe fn queue(&mut self, submission: &Submission) -> Result<(), QueueFull> {
        self.0.borrow_mut().queue(&Queued::of_ring(submission))
    }

    unsafe fn queue_entry(
        &mut self,
        tag: Tag,
        entry: Entry,
        asynchronous: bool,
    ) -> Result<(), QueueFull> {
        self.0.borrow_mut().queue(&Queued::of_operation(tag, &entry, asynchronous))
    }

    fn queued(&self) -> u32 {
        self.0.borrow().submissions.len() as u32
    }

    fn has_backlog(&self) -> bool {
        let world = self.0.borrow();
        !world.backlog.is_empty() && world.sabotage != Some(Sabotage::ForgetBacklog)
    }

    fn enter(&mut self, wanted: u32) -> io::Result<()> {
        self.0.borrow_mut().enter(wanted)
    }

    fn reap(&mut self) -> Option<Cqe> {
        self.0.borrow_mut().reap()
    }

    fn now(&self) -> Nanoseconds {
        let mut world = self.0.borrow_mut();
        world.clock_read_at = world.now;
        world.is_judging = true;
        world.now
    }

    fn look(&self, number: RawFd) -> Look {
        self.0.borrow_mut().look(number)
    }

    fn way(&self, _number: RawFd, kind: FileKind, access: Access, is_wanted: bool) -> Way {
        self.0.borrow_mut().way(kind, access, is_wanted)
    }
}

impl World {
    fn enter(&mut self, wanted: u32) -> io::Result<()> {
        if wanted > 0 {
            // A flush has ended.
            self.begin_deadlines();
            self.is_judging = false;
        }
        let cost = self.random.u64(..ENTER_COST);
        self.advance_to(self.now + cost);
        if let Some(errno) = self.refusal() {
            self.note(Step::Refuse(errno));
            self.has_refused = true;
            return Err(io::Error::from_raw_os_error(errno));
        }
        self.flush_backlog();
        let queued = self.submissions.len();
        let partial = !self.honest && self.configuration.kernel.partial.happens(&mut self.random);
        let most = if partial { self.random.usize(..=queued) } else { queued };
        self.has_refused = most < queued;
        if most < queued {
            self.coverage.count(Fault::PartialSubmission);
        }
        for _ in 0..most {
            let Some(submission) = self.submissions.pop_front() else { break };
            self.take(submission);
        }
        // What takes no time is there when enter returns.
        self.advance_to(self.now);
        self.flush_backlog();
        self.wait(wanted)
    }

    /// Deadlines count from the end of the flush: from when the ring looked at the clock.
    pub(crate) fn begin_deadlines(&mut self) {
        let now = self.clock_read_at;
        for slot in std::mem::take(&mut self.attempted) {
            self.slots[slot as usize].retry_from = Some(now);
        }
        for key in std::mem::take(&mut self.timeouts) {
            let record = self.record(key);
            if record.is_live() {
                record.timeout_from = Some(now);
            }
        }
    }

    fn refusal(&mut self) -> Option<i32> {
        /// Of simulated time.
        const LONGEST_OUTAGE: Nanoseconds = 20_000_000;
        if self.is_in_outage() {
            return Some(self.outage);
        }
        let (chance, outage) =
            (self.configuration.kernel.refusal, self.configuration.kernel.outage);
        if !self.honest && outage.happens(&mut self.random) {
            self.coverage.count(Fault::Outage);
            self.outage_until = self.now + self.random.u64(..LONGEST_OUTAGE);
            // A signal storm too.
            self.outage = [libc::ENOMEM, libc::EINTR][self.random.usize(..2)];
            return Some(self.outage);
        }
        if self.honest || !chance.happens(&mut self.random) {
            return None;
        }
        let (errno, fault) = [
            (libc::EINTR, Fault::EnterInterrupted),
            (libc::EAGAIN, Fault::EnterAgain),
            (libc::EBUSY, Fault::EnterBusy),
            (libc::ENOMEM, Fault::EnterNoMemory),
        ][self.random.usize(..4)];
        self.coverage.count(fault);
        Some(errno)
    }

    fn flush_backlog(&mut self) {
        while self.completions.len() < self.configuration.completions as usize {
            let Some(cqe) = self.backlog.pop_front() else { break };
            self.completions.push_back(cqe);
        }
    }

    fn wait(&mut self, wanted: u32) -> io::Result<()> {
        while wanted > 0 && self.completions.is_empty() {
            self.flush_backlog();
            if !self.completions.is_empty() {
                break;
            }
            match self.next_event() {
                Some(at) => self.advance_to(at),
                // A signal; whoever waits for what only he can end is not to sleep for ever.
                None => return Err(io::Error::from_raw_os_error(libc::EINTR)),
            }
        }
        Ok(())
    }

    fn reap(&mut self) -> Option<Cqe> {
        if self.sabotage == Some(Sabotage::JudgeUnreaped) && self.is_judging {
            return None;
        }
        let mut cqe = self.completions.pop_front()?;
        let told = self.told(cqe.user_data, cqe.result);
        self.note(Step::Reap(cqe.user_data, told));
        let tag = Tag::from_user_data(cqe.user_data)?;
        let slot = tag.key().slot();
        match tag.kind() {
            TagKind::Timer => self.timer_on_the_way = None,
            TagKind::TimerUpdate => self.update_on_the_way = None,
            TagKind::Cancel => {
                self.slots[slot as usize].cancel = Stage::Away;
                let kind = match -cqe.result {
                    ..=0 => 0,
                    libc::ENOENT => 1,
                    libc::EALREADY => 2,
                    _ => 3,
                };
                self.answers[kind] += 1;
                self.cancels -= 1;
            }
            TagKind::Target if cqe.more => {}
            TagKind::Target => self.reap_final(slot),
        }
        if let (Some(sabotage), TagKind::Target) = (self.sabotage, tag.kind()) {
            cqe = self.spoil(sabotage, cqe, slot);
        }
        Some(cqe)
    }

    fn reap_final(&mut self, slot: u32) {
        self.targets -= 1;
        let record = &mut self.slots[slot as usize];
        assert_eq!(record.stage, Stage::Posted);
        record.stage = Stage::Away;
        let own = record.target.map(|target| target.number);
        let is_missed = record.count.unwrap_or(record.error) == -libc::EAGAIN;
        let is_borrowed = record.is_borrowed && record.number == own;
        let is_closed = || own.is_some_and(|own| inode(own).is_none());
        record.is_orphaned = is_missed && is_borrowed && is_closed();
        if crate::record::is_interruption(record.count.unwrap_or(record.error)) {
            record.interruptions += 1;
        }
        if record.kind.reads() && !record.given_up && record.asks == Asks::Attempt {
            self.delivered += record.count.unwrap_or(0) as u64;
        }
        if let Some(line) = record.line() {
            self.lines.running.remove(&line);
        }
        self.leave_position(slot);
    }

    /// What happens at its time.
    pub(crate) fn happen(&mut self, event: Event) {
        let is_frozen = self.now >= self.frozen_from;
        match event {
            Event::Proceed(..) | Event::Finish(..) | Event::Notify(..) if is_frozen => {}
            Event::Proceed(slot, _) => self.proceed(slot),
            Event::Finish(slot, _, result) => self.post_final(slot, result, false),
            Event::Notify(slot, _) => self.notify(slot),
            Event::Answer(slot, result) => self.answer(slot, result),
            Event::Timer(_) => self.fire(),
            Event::Update(user_data, result) => self.post(user_data, result, false, false),
        }
    }
}

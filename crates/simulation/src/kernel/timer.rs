//! The ring's timer, as the kernel keeps it. Timers are reliable: it may fire late, but it fires.

use crate::coverage::Fault;
use crate::world::{Event, Timer, World};
use crate::Sabotage;
use uring_safe_cancel::kernel::Nanoseconds;
use uring_safe_cancel::tag::Tag;

/// How late it may fire: the kernel's slack for timers, 50 microseconds.
const SLACK: Nanoseconds = 50_000;

impl World {
    pub(super) fn take_timer(&mut self, tag: Tag, deadline: Nanoseconds) {
        assert!(self.timer.is_none(), "clause 7: a second timer");
        if self.sabotage == Some(Sabotage::SwallowTimer) {
            return;
        }
        let fails = self.configuration.kernel.timer_fails;
        if !self.honest && fails.happens(&mut self.random) {
            self.coverage.count(Fault::TimerFailed);
            self.post(tag.user_data(), -libc::ENOMEM, false, false);
            return;
        }
        self.timer = Some(Timer { tag, deadline, awaited: 0 });
        self.set_timer(deadline);
    }

    fn set_timer(&mut self, deadline: Nanoseconds) {
        let slack = self.random.u64(..SLACK);
        let delay = deadline.saturating_add(slack).saturating_sub(self.now);
        let awaited = self.schedule(delay, Event::Timer);
        if let Some(timer) = &mut self.timer {
            timer.deadline = deadline;
            timer.awaited = awaited;
        }
    }

    pub(super) fn take_update(&mut self, tag: Tag, timer: Tag, deadline: Nanoseconds) {
        let habits = &self.configuration.kernel;
        let fails = !self.honest && habits.update_fails.happens(&mut self.random);
        let is_set = self.timer.is_some_and(|set| set.tag == timer);
        let result = if self.configuration.kernel.lacks_update {
            self.coverage.count(Fault::TimerUpdateRefused);
            self.has_refused_update = true;
            -libc::EINVAL
        } else if !is_set {
            self.coverage.count(Fault::TimerUpdateMissed);
            [-libc::ENOENT, -libc::EALREADY][self.random.usize(..2)]
        } else if fails && self.random.bool() {
            // It is firing now: its own CQE follows the answer.
            self.coverage.count(Fault::TimerUpdateMissed);
            self.post(tag.user_data(), -libc::EALREADY, false, false);
            self.set_timer(self.now);
            if let Some(timer) = &mut self.timer {
                timer.deadline = deadline;
            }
            return;
        } else if fails {
            self.coverage.count(Fault::TimerUpdateRefused);
            self.has_refused_update = true;
            -libc::ENOMEM
        } else {
            self.coverage.count(Fault::TimerUpdated);
            self.set_timer(deadline);
            0
        };
        let delay = self.delay();
        self.schedule(delay, |_| Event::Update(tag.user_data(), result));
    }

    pub(super) fn take_timer_cancel(&mut self, tag: Tag, target: Tag) {
        assert!(self.has_refused_update, "a timer is cancelled that could be changed");
        let found = self.timer.take_if(|timer| timer.tag == target);
        let result = if found.is_some() {
            self.coverage.count(Fault::TimerCancelled);
            self.post(target.user_data(), -libc::ECANCELED, false, false);
            0
        } else {
            -libc::ENOENT
        };
        let delay = self.delay();
        self.schedule(delay, |_| Event::Update(tag.user_data(), result));
    }

    pub(super) fn fire(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.post(timer.tag.user_data(), -libc::ETIME, false, false);
        }
    }
}

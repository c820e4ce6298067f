//! The client is about to sleep: will it be woken? A flush that did not ask for another one promises it.

use super::Client;
use crate::kernel::nanoseconds;
use crate::record::{Kind, Record, Stage};
use crate::record::{CANCEL_RESERVE, TIMER_RESERVE};
use crate::world::World;
use uring_safe_cancel::kernel::Nanoseconds;

impl Client {
    pub(super) fn check_asleep(&mut self) {
        /// Up to here every operation is looked at each time, and beyond it one time in sixteen.
        const FEW: usize = 64;
        let pending = self.ring.pending();
        if pending == 0 || pending > FEW && self.random.u8(..16) != 0 {
            return;
        }
        let stats = self.ring.stats();
        let ready = pending - (stats.in_flight + stats.queued) as usize;
        assert_eq!(ready, 0, "clause 2: completions that nothing will tell of");
        let world = self.world.borrow();
        assert!(!self.again && !self.is_dirty && !world.is_readable());
        let completions = world.configuration.completions;
        let no_cancel_fits = stats.in_flight + world.cancels + TIMER_RESERVE >= completions;
        let is_full =
            no_cancel_fits || stats.in_flight + CANCEL_RESERVE + TIMER_RESERVE >= completions;
        let mut waiting = 0;
        for record in world.slots.iter().filter(|record| record.is_live()) {
            if record.stage == Stage::Away {
                let is_parked = is_behind(record, &world);
                waiting += u32::from(!is_parked);
            }
            if let Some(due) = due(record, &world) {
                let is_set = world.timer.is_some_and(|timer| timer.deadline <= due)
                    || world.update_on_the_way.is_some();
                // Cancels go by turns, where there is room for one.
                let is_next = due <= world.now && no_cancel_fits;
                assert!(
                    is_set || is_next,
                    "clause 2: nothing wakes the client at {due}: {record:?}"
                );
            }
        }
        assert!(waiting == 0 || is_full, "{waiting} operations wait, and there is room");
        if let Some(deadline) = self.drain_deadline {
            let is_set = world.timer.is_some_and(|timer| timer.deadline <= deadline);
            let is_set = is_set || world.update_on_the_way.is_some();
            assert!(is_set, "clause 3: nothing ends the time to drain");
        }
    }
}

impl Client {
    /// A flush begins.
    pub(super) fn begin_flush(&mut self) {
        let (now, is_in_outage) = {
            let mut world = self.world.borrow_mut();
            world.is_judging = false;
            (world.now, world.is_in_outage())
        };
        if is_in_outage {
            self.refused_at.push(now);
        } else {
            self.refused_at.clear();
        }
    }

    /// Where the kernel takes nothing, not even a timer, flushes see to what is due: what waits and has
    /// expired settles.
    pub(super) fn check_refused(&mut self) {
        let world = self.world.borrow();
        if !self.again || !world.is_in_outage() {
            self.refused_at.clear();
        }
        // One flush finds that the kernel takes nothing, the next looks at what is due, the third delivers.
        let Some(&[before, _, _]) = self.refused_at.last_chunk::<3>() else { return };
        for record in world.slots.iter().filter(|record| record.is_live()) {
            // What the kernel had may be over, reaped, and delivered by the next flush.
            let waits =
                record.submissions == 0 && record.kind != Kind::Close && record.told.is_none();
            let due = record.timeout.zip(record.timeout_from);
            let due = due.map(|(time, from)| from.saturating_add(nanoseconds(time)));
            let is_late = waits && due.is_some_and(|due| due < before);
            assert!(!is_late, "clause 2: expired, and the kernel is not to blame: {record:?}");
        }
    }
}

/// Whether another operation stands in its line.
fn is_behind(record: &Record, world: &World) -> bool {
    record.line().is_some_and(|line| {
        world.slots.iter().any(|other| {
            other.is_live() && other.serial != record.serial && other.line() == Some(line)
        })
    })
}

/// When the ring has to do something for an operation by itself, at the latest: now, if a cancel is to be
/// issued.
fn due(record: &Record, world: &World) -> Option<Nanoseconds> {
    let timeout = record.timeout.zip(record.timeout_from).map(|(timeout, from)| {
        let due = from.saturating_add(nanoseconds(timeout));
        // The top is for never.
        due.min(u64::MAX - 1)
    });
    let retry = match (record.cancel, record.stage) {
        // Its answer comes first.
        _ if record.cancel != Stage::Away => return None,
        (_, Stage::Away) => None,
        _ if record.attempts > 0 => {
            let policy = &world.configuration.options.cancel;
            let delay = crate::record::delay(policy, record.attempts);
            Some(record.retry_from.map_or(world.now, |from| from.saturating_add(delay)))
        }
        _ if record.asked_at.is_some() => Some(world.now),
        _ => None,
    };
    // Once it has expired, a cancel is issued, or waits for room.
    let may_expire =
        record.kind != Kind::Close && record.asked_at.is_none() && record.attempts == 0;
    let timeout = timeout.filter(|_| may_expire);
    [retry, timeout].into_iter().flatten().min()
}

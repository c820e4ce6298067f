//! What operations come to: how many bytes, or which error, in how many CQEs.

use super::access;
use crate::coverage::Fault;
use crate::lines::Moves;
use crate::record::{Asks, Kind, Stage, RESTARTS};
use crate::trace::Step;
use crate::world::{Event, World};
use crate::Sabotage;
use std::os::fd::RawFd;
use uring_safe_cancel::kernel::decoded::Queued;
use uring_safe_cancel::kernel::Cqe;
use uring_safe_cancel::tag::Tag;

impl World {
    /// An operation makes progress: it fails, it transfers a part, or it ends.
    pub(super) fn proceed(&mut self, slot: u32) {
        self.look_at(slot);
        if self.slots[slot as usize].asynchronous {
            // A worker looks the descriptor up when its turn comes.
            self.look_up(slot);
        }
        if let Some(errno) = self.error(slot) {
            let delay = self.delay();
            let record = &mut self.slots[slot as usize];
            record.is_executed = true;
            if record.kind == Kind::Close {
                self.close(slot);
            }
            let record = &self.slots[slot as usize];
            if record.done > 0 {
                self.coverage.count(Fault::ErrorAfterMore);
            }
            let notification = self.configuration.kernel.notification;
            let is_attempt = record.asks == Asks::Attempt;
            if is_attempt && record.kind.writes() && notification.happens(&mut self.random) {
                // A zero-copy send that fails says so first, and then that the memory is free.
                let tag = record.tag;
                let record = &mut self.slots[slot as usize];
                (record.error, record.followed) = (-errno, true);
                self.coverage.count(Fault::NotificationAfterError);
                self.post(tag, -errno, true, false);
                self.await_event(slot, delay, |awaited| Event::Notify(slot, awaited));
                return;
            }
            self.await_event(slot, delay, |awaited| Event::Finish(slot, awaited, -errno));
            return;
        }
        let record = &self.slots[slot as usize];
        let left = record.length - record.done;
        let transfers =
            record.asks == Asks::Attempt && (record.kind.reads() || record.kind.writes());
        let habits = &self.configuration.kernel;
        if transfers && left > 1 && record.done == 0 && habits.more.happens(&mut self.random) {
            let count = self.random.u32(1..left);
            self.transfer_with_more(slot, count);
            return;
        }
        self.conclude(slot);
    }

    /// An operation ends with its result; its CQE comes a little later.
    pub(super) fn conclude(&mut self, slot: u32) {
        self.slots[slot as usize].is_executed = true;
        let result = self.success(slot);
        let delay = self.delay();
        let habits = &self.configuration.kernel;
        let record = &self.slots[slot as usize];
        let is_attempt = record.asks == Asks::Attempt;
        if is_attempt && record.kind.writes() && habits.notification.happens(&mut self.random) {
            let tag = record.tag;
            let record = &mut self.slots[slot as usize];
            record.followed = true;
            record.count = Some(record.count.unwrap_or(0) + result);
            self.post(tag, result, true, false);
            self.await_event(slot, delay, |awaited| Event::Notify(slot, awaited));
            return;
        }
        self.await_event(slot, delay, |awaited| Event::Finish(slot, awaited, result));
    }

    /// A part of the bytes, and a CQE with `F_MORE`.
    fn transfer_with_more(&mut self, slot: u32, count: u32) {
        self.coverage.count(Fault::More);
        self.transfer(slot, count);
        let record = &mut self.slots[slot as usize];
        record.followed = true;
        record.count = Some(record.count.unwrap_or(0) + count as i32);
        let tag = record.tag;
        self.post(tag, count as i32, true, false);
        let delay = self.delay();
        self.await_event(slot, delay, |awaited| Event::Proceed(slot, awaited));
    }

    /// The kernel looked at a write's memory to the end.
    pub(super) fn notify(&mut self, slot: u32) {
        /// Set by the kernel if it copied the bytes after all (`IORING_NOTIF_USAGE_ZC_COPIED`).
        const COPIED: i32 = i32::MIN;
        self.coverage.count(Fault::Notification);
        self.check_bytes(slot, 0, self.slots[slot as usize].done);
        let result = if self.random.bool() { 0 } else { COPIED };
        self.post_final(slot, result, true);
    }

    /// The error that an operation ends with, if it does.
    fn error(&mut self, slot: u32) -> Option<i32> {
        if self.honest {
            return None;
        }
        let habits = &self.configuration.kernel;
        let asynchronous = self.slots[slot as usize].asynchronous;
        let random = &mut self.random;
        let (errno, fault) = if habits.interrupted.happens(random) {
            (libc::EINTR, Fault::Interrupted)
        } else if habits.restart.happens(random) {
            (-random.i32(RESTARTS), Fault::Restart)
        } else if habits.again.happens(random) {
            if asynchronous && random.bool() {
                (libc::ECANCELED, Fault::NoWorker)
            } else {
                (libc::EAGAIN, Fault::Again)
            }
        } else if habits.error.happens(random) {
            [
                (libc::EBUSY, Fault::Busy),
                (libc::ENOMEM, Fault::NoMemory),
                (libc::EIO, Fault::OtherError),
            ][random.usize(..3)]
        } else {
            return None;
        };
        self.coverage.count(fault);
        // A close that failed has closed nonetheless; no other error of it means anything.
        let is_close = self.slots[slot as usize].kind == Kind::Close;
        Some(if is_close && fault != Fault::OtherError { libc::EINTR } else { errno })
    }

    fn success(&mut self, slot: u32) -> i32 {
        let record = &self.slots[slot as usize];
        match record.asks {
            Asks::Attempt => {}
            Asks::Poll => return i32::from([libc::POLLIN, libc::POLLERR][self.random.usize(..2)]),
            Asks::Pause(_) => return -libc::ETIME,
        }
        match record.kind {
            Kind::Nop | Kind::Sync => 0,
            Kind::Sleep => -libc::ETIME,
            Kind::Poll => (record.flags & self.random.u32(1..=0xff)) as i32,
            Kind::Close => {
                self.close(slot);
                0
            }
            Kind::Open => self.open(slot),
            Kind::Read | Kind::Write | Kind::ReadVectored | Kind::WriteVectored => {
                let left = record.length - record.done;
                let short = self.configuration.kernel.short.happens(&mut self.random);
                let count = if short { self.random.u32(..=left) } else { left };
                if count < left {
                    self.coverage.count(Fault::Short);
                }
                if count == 0 {
                    self.coverage.count(Fault::Empty);
                }
                self.transfer(slot, count);
                count as i32
            }
        }
    }

    /// Reads or writes the next bytes of an operation: now, and not when its CQE comes.
    fn transfer(&mut self, slot: u32, count: u32) {
        self.note(Step::Execute(slot, count));
        let record = &mut self.slots[slot as usize];
        let from = record.done;
        record.done += count;
        self.move_by_kernel(slot, count);
        self.coverage.bytes += u64::from(count);
        let record = &self.slots[slot as usize];
        if record.kind.writes() {
            self.check_bytes(slot, from, count);
            return;
        }
        let (pattern, mut position) = (record.incoming(), from as usize);
        access::each_piece(&record.parts, from as usize, count as usize, |address, length| {
            // SAFETY: the ring promised this memory to the kernel until the final CQE, and nobody
            // looks at it before that. If it broke its promise, this is how that shows.
            let bytes = unsafe { std::slice::from_raw_parts_mut(address as *mut u8, length) };
            pattern.fill(position, bytes);
            position += length;
        });
    }

    fn check_bytes(&self, slot: u32, from: u32, count: u32) {
        let record = &self.slots[slot as usize];
        let (pattern, mut position) = (record.outgoing(), from as usize);
        access::each_piece(&record.parts, from as usize, count as usize, |address, length| {
            // SAFETY: as for reads; nobody writes it.
            let bytes = unsafe { std::slice::from_raw_parts(address as *const u8, length) };
            let wrong = pattern.mismatch(position, bytes);
            assert_eq!(wrong, None, "clause 3: wrong bytes to write, from here: {record:?}");
            position += length;
        });
    }

    fn open(&mut self, slot: u32) -> i32 {
        let number = access::duplicate(self.opens);
        self.opened.push((self.slots[slot as usize].serial, number));
        // Not traced: numbers differ from run to run.
        number
    }

    fn close(&mut self, slot: u32) {
        let record = &self.slots[slot as usize];
        if record.is_elsewhere {
            // The clock is virtual, and the thread is not.
            access::await_event(record.number.expect("an event"));
            return;
        }
        let number: RawFd = record.closes;
        assert!(self.closing.remove(&number), "clause 6: a number that nobody gave away");
        access::close(number);
    }

    /// Breaks the boundary on purpose: then the checks must fail.
    pub(super) fn spoil(&mut self, sabotage: Sabotage, mut cqe: Cqe, slot: u32) -> Cqe {
        let record = &self.slots[slot as usize];
        let was_polled = record.asks != Asks::Attempt && record.asked_at.is_some();
        if let (Sabotage::RetryAfterCancel, true, Some(tag), Some(work)) =
            (sabotage, was_polled, Tag::from_user_data(cqe.user_data), record.attempt)
        {
            let asynchronous = record.needs_worker();
            let _ = self.queue(&Queued { tag, work, asynchronous });
        }
        let record = &mut self.slots[slot as usize];
        match sabotage {
            Sabotage::FinalBeforeMemory if cqe.more => {
                cqe.more = false;
                self.targets -= 1;
            }
            Sabotage::DiscardOnCancel if record.asked_at.is_some() && cqe.result > 0 => {
                cqe.result = -libc::ECANCELED;
            }
            Sabotage::KeepPosition
                if record.moves == Moves::Reserved && record.next().is_none() =>
            {
                // What the ring gives back is taken again.
                let left = i64::from(record.length) - i64::from(record.count.unwrap_or(0));
                super::access::seek(record.number.unwrap_or(-1), left, libc::SEEK_CUR);
            }
            Sabotage::ShortenResult if record.kind.reads() && cqe.result > 1 && !cqe.more => {
                cqe.result -= 1;
            }
            _ => {}
        }
        cqe
    }

    /// Whether the kernel still works on something.
    pub fn has_taken(&self) -> bool {
        self.slots.iter().any(|record| record.stage == Stage::Taken)
    }
}

//! How a ring's life ends, and what must be left of it: nothing, or what the kernel has not let go.

use super::live::PAUSE;
use super::{Client, Step};
use crate::coverage::Fault;
use crate::kernel::nanoseconds;
use crate::pattern::UNTOUCHED;
use crate::record::{Kind, Record, Stage};
use crate::world::World;
use std::collections::BTreeSet;
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::time::Duration;
use uring_safe_cancel::kernel::Nanoseconds;
use uring_safe_cancel::Memory;

/// How long dropping a ring waits, as DESIGN.md has it.
const DROP_DRAIN: Nanoseconds = 50_000_000;

/// A day: no report is waited for longer, because each cancel until then takes its time here too.
const AGES: Nanoseconds = 86_400_000_000_000;

/// Ways to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client cancels everything and waits.
    Quiet,
    /// It closes the ring and waits, and cancels what goes on.
    Close,
    /// It destroys the ring.
    Destroy,
    /// It abandons the ring.
    Abandon,
    /// It drops the ring.
    Drop,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Quiet, Self::Close, Self::Destroy, Self::Abandon, Self::Drop];

    fn fault(self) -> (Fault, &'static str) {
        match self {
            Self::Quiet => (Fault::EndedQuietly, "cancel all"),
            Self::Close => (Fault::EndedByClose, "close"),
            Self::Destroy => (Fault::EndedByDestroy, "destroy"),
            Self::Abandon => (Fault::EndedByAbandon, "abandon"),
            Self::Drop => (Fault::EndedByDrop, "drop"),
        }
    }
}

impl Client {
    /// Ends the ring's life. Gives back the world, and the number of the last operation.
    pub fn end(mut self, ending: Ending) -> (World, u64) {
        let (fault, name) = ending.fault();
        self.count(fault);
        // Some that no flush has seen.
        for _ in 0..self.random.u8(..8) {
            self.submit();
        }
        self.world().note(Step::End(name));
        match ending {
            Ending::Quiet => self.end_quietly(),
            Ending::Close => self.end_by_close(),
            Ending::Destroy => self.end_by_destroy(),
            Ending::Abandon => self.end_by_abandon(),
            Ending::Drop => {}
        }
        self.drop_ring();
        self.check_remains();
        let Self { world, serial, ring: _, .. } = self;
        let world = std::rc::Rc::try_unwrap(world).map(std::cell::RefCell::into_inner);
        (world.expect("the ring had the only other reference"), serial)
    }

    fn end_quietly(&mut self) {
        self.world().honest = true;
        self.cancel_many(None);
        self.settle_all();
        self.await_reports();
    }

    fn end_by_close(&mut self) {
        self.ring.close();
        self.is_open = false;
        self.submit();
        // What ends by itself may, for a while.
        let until = self.now() + self.random.u64(..100_000_000);
        self.serve(|client| client.now() >= until || client.ring.pending() == 0);
        self.end_quietly();
    }

    fn end_by_destroy(&mut self) {
        let drain = [0, 1_000_000, 50_000_000, 2_000_000_000, u64::MAX][self.random.usize(..5)];
        let honest = self.random.bool() || drain == u64::MAX;
        if drain == u64::MAX {
            self.unsilence();
        }
        self.world().honest |= honest;
        self.drain = Some(drain);
        self.ring.destroy(Duration::from_nanos(drain));
        self.is_open = false;
        self.is_dirty = true;
        self.world().draining = true;
        self.asked_many(None, None);
        self.submit();
        // It may be busy with something else for longer than that.
        if self.random.bool() {
            let busy = self.random.u64(..4_000_000_000);
            self.pass(busy);
        }
        self.serve(|client| client.ring.is_drained());
        let deadline = self.drain_deadline.unwrap_or(u64::MAX);
        // A kernel that refuses, or is slow to change a timer, makes it late by that.
        let late = self.now().saturating_sub(deadline);
        let slow = self.world().configuration.kernel.delay;
        let slack = 100 * PAUSE + 20 * slow;
        assert!(late <= slack, "clause 3: {late} ns after the time to drain");
        self.drain_deadline = None;
    }

    fn end_by_abandon(&mut self) {
        let now = self.now();
        self.world().draining = true;
        self.ring.abandon();
        // It waits for nothing: what a kernel that takes nothing holds back is given up, over or not.
        let is_whole = self.world().backlog.is_empty();
        self.drain_deadline = Some(if is_whole { now } else { 0 });
        self.is_open = false;
        self.asked_many(None, None);
        self.flush(usize::MAX);
        assert!(self.ring.is_drained(), "abandoned, and something is left");
        self.check_laws();
        self.drain_deadline = None;
    }

    /// The kernel is honest now: everything cancelled settles, but for what is silent for ever.
    fn settle_all(&mut self) {
        /// Of simulated time, for each operation that takes its turn to be cancelled.
        const EACH: Nanoseconds = 1_000_000;
        let pending = self.ring.pending() as u64;
        let policy = self.world().configuration.options.cancel.clone();
        let longest = nanoseconds(policy.max_delay) + self.world().configuration.kernel.delay;
        let bound = self.now() + 4 * longest + (pending + 100) * EACH;
        self.serve(|client| {
            let silent = client.world().silent as usize;
            let pending = client.ring.pending();
            let now = client.now();
            assert!(pending == silent || now <= bound, "clause 2: {pending} do not settle");
            pending == silent
        });
    }

    /// What is silent for ever must be reported.
    fn await_reports(&mut self) {
        if self.ring.pending() == 0 {
            return;
        }
        let policy = self.world().configuration.options.cancel.clone();
        let after = nanoseconds(policy.stuck_after.saturating_add(policy.max_delay));
        if after > AGES {
            return;
        }
        // The answer to a change of the timer may be on its way since the kernel was not honest.
        let slow = self.world().configuration.kernel.delay;
        let until = self.now() + 2 * (after + slow) + 10 * PAUSE;
        self.serve(|client| client.now() >= until);
        let world = self.world.borrow();
        let unreported = world.slots.iter().find(|record| record.is_live() && !record.reported);
        assert!(unreported.is_none(), "clause 2: not reported as stuck: {unreported:?}");
    }

    /// The client flushes when it is told to, and otherwise sleeps, until it is done.
    fn serve(&mut self, is_done: impl Fn(&Self) -> bool) {
        /// Far more than any operation needs.
        const MOST_FLUSHES: u32 = 2_000_000;
        let mut flushes = 0;
        while !is_done(self) {
            if self.is_awake() {
                if self.again && !self.is_dirty && !self.world().is_readable() {
                    self.pass(PAUSE);
                }
                let is_limited = self.random.u8(..4) == 0;
                let limit = if is_limited { self.random.usize(1..=64) } else { usize::MAX };
                self.flush(limit);
                self.check_laws();
                flushes += 1;
                assert!(flushes < MOST_FLUSHES, "clause 2: flushes without end");
                continue;
            }
            self.check_asleep();
            let next = self.world().next_event();
            match next {
                Some(at) => self.world().advance_to(at),
                // Nothing is cancelled yet: what hangs, hangs.
                None if self.is_open_ended() => return,
                None => panic!("clause 2: asleep for ever with {} pending", self.ring.pending()),
            }
        }
    }

    /// Whether nobody has asked for an end of what is pending.
    fn is_open_ended(&self) -> bool {
        let world = self.world.borrow();
        let mut live = world.slots.iter().filter(|record| record.is_live());
        !world.honest && !world.draining && live.all(|record| record.asked_at.is_none())
    }

    /// What was silent for ever answers to cancels after all.
    fn unsilence(&mut self) {
        let mut world = self.world();
        world.silent = 0;
        for record in &mut world.slots {
            record.silent = false;
        }
    }

    fn drop_ring(&mut self) {
        self.let_go(usize::MAX);
        {
            let mut world = self.world();
            // Dropping waits in real time where the kernel refuses.
            world.honest = true;
            world.draining = true;
            // What completes while the ring gives up is neither here nor there.
            world.frozen_from = world.now + DROP_DRAIN;
        }
        // SAFETY: the client ends here, and does not use the ring again.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        let mut world = self.world.borrow_mut();
        world.is_over = true;
        let mut freed = 0;
        let World { slots, ready, closing, .. } = &mut *world;
        for record in slots.iter_mut().chain(ready.values_mut()).filter(|r| r.is_live()) {
            record.settled = true;
            if !record.is_leaked() {
                freed += record.held;
                if record.kind == Kind::Close && record.submissions == 0 && record.closes != 0 {
                    // The ring did it by itself.
                    assert!(closing.remove(&record.closes), "clause 6: a number is closed twice");
                }
            }
        }
        // What came with completions that nobody saw was closed.
        let World { slots, opened, .. } = &mut *world;
        opened.retain(|&(serial, _)| {
            slots.iter().any(|record| record.serial == serial && record.is_leaked())
        });
        drop(world);
        self.held -= freed;
        assert_eq!(self.arena.usage().held, self.held, "clause 3: memory after the ring's end");
    }

    /// The kernel may use what it was given, long after the ring's end; and nobody else may.
    fn check_remains(&mut self) {
        let others = self.allocate_others();
        let world = self.world.borrow();
        let leaked: Vec<&Record> = world.slots.iter().filter(|r| r.is_leaked()).collect();
        let mut faults = Vec::new();
        for record in &leaked {
            faults.push(Fault::LateCompletion);
            self.finish_late(record, &mut faults);
        }
        for (memory, fill) in &others {
            // SAFETY: the piece is the client's alone.
            let bytes = unsafe { std::slice::from_raw_parts(memory.as_mut_ptr(), memory.len()) };
            let is_whole = bytes.iter().all(|byte| byte == fill);
            assert!(is_whole, "clause 3: memory that the kernel still had was given to another");
        }
        let numbers = leaked_numbers(&leaked);
        let events = leaked.iter().filter(|r| r.is_elsewhere && r.submissions > 0);
        let events: Vec<RawFd> = events.filter_map(|record| record.number).collect();
        let has_leaked = !leaked.is_empty();
        drop(world);
        drop(others);
        faults.into_iter().for_each(|fault| self.count(fault));
        let late: Vec<RawFd> = {
            let mut world = self.world();
            // What the kernel opens or closes too late for anybody to see.
            let opened = std::mem::take(&mut world.opened).into_iter().map(|(_, number)| number);
            let closing = std::mem::take(&mut world.closing);
            opened.chain(closing).collect()
        };
        events.iter().for_each(|&event| crate::kernel::await_event(event));
        late.into_iter().chain(numbers).chain(events).for_each(crate::kernel::close);
        self.files.close();
        assert_eq!(self.files.open(), 0, "clause 5: a descriptor of the ring's is left open");
        if has_leaked {
            self.give_pages_back();
        } else {
            self.check_arena();
        }
    }

    /// An arena that nobody uses has room for one piece of all its size.
    fn check_arena(&self) {
        /// Above the sizes that are cut from slabs.
        const LARGE: usize = 300 << 10;
        let limit = self.arena.limit();
        if (LARGE..1 << 30).contains(&limit) {
            let whole = self.arena.allocate(limit / 4096 * 4096);
            assert!(whole.is_ok(), "clause 7: {:?} of an unused arena", self.arena.usage());
        }
    }

    /// Memory for somebody else, after the ring's end.
    fn allocate_others(&mut self) -> Vec<(Memory, u8)> {
        let mut others = Vec::new();
        for index in 0..8u8 {
            let Ok(memory) = self.arena.allocate(1 + usize::from(index) * 700) else { break };
            let user = self.world().in_use.get(&memory.address()).copied();
            assert_eq!(user, None, "clause 3: memory that the kernel still has");
            // SAFETY: the piece was just allocated.
            unsafe { memory.as_mut_ptr().write_bytes(index, memory.len()) };
            others.push((memory, index));
        }
        others
    }

    /// An operation completes after the ring's end.
    fn finish_late(&self, record: &Record, faults: &mut Vec<Fault>) {
        let probe = &self.files.probe;
        let gone = "clause 3: memory that the kernel still has is not mapped";
        let mut position = 0;
        for &(address, length) in &record.parts {
            let mut bytes = vec![0; length as usize];
            probe.read(address, &mut bytes).expect(gone);
            if record.kind.writes() {
                let wrong = record.outgoing().mismatch(position, &bytes);
                assert_eq!(wrong, None, "clause 3: overwritten while the kernel has it");
            } else if record.stage == Stage::Taken {
                let rest = (record.done as usize).saturating_sub(position).min(bytes.len());
                let is_untouched = bytes[rest..].iter().all(|&byte| byte == UNTOUCHED);
                assert!(is_untouched, "clause 3: overwritten while the kernel has it");
                record.incoming().fill(position, &mut bytes);
                probe.write(address, &bytes).expect(gone);
                faults.push(Fault::LateBytes);
            }
            position += length as usize;
        }
        if record.pointed != 0 {
            probe.read(record.pointed, &mut [0; 16]).expect(gone);
        }
    }

    /// What was given up stays mapped for ever. Its pages are given back here, so that a long run does not
    /// fill the machine: first those that the arena has in common with it, then its own.
    fn give_pages_back(&mut self) {
        let sizes = [4 << 10, 16 << 10, 64 << 10, 256 << 10];
        for size in sizes {
            let most = self.most_pieces.min((4 << 20) / size);
            let pieces: Vec<Memory> =
                (0..most).map_while(|_| self.arena.allocate_small(size).ok()).collect();
            pieces.iter().for_each(|piece| forget_pages(piece.address(), piece.len()));
        }
        let world = self.world.borrow();
        for record in world.slots.iter().filter(|record| record.is_leaked()) {
            record.parts.iter().for_each(|part| forget_pages(part.0, part.1 as usize));
        }
    }
}

/// The descriptors that leaked operations hold: the ring's duplicates, and what the client gave it.
fn leaked_numbers(leaked: &[&Record]) -> BTreeSet<RawFd> {
    let mut numbers = BTreeSet::new();
    for record in leaked {
        let (Some(target), Some(number)) = (record.target, record.number) else { continue };
        if number == target.number && !record.is_held {
            continue;
        }
        let inode = crate::kernel::inode(number);
        // As when the kernel took it: the documented trap.
        let is_same = inode == Some(target.inode) || record.is_trapped() && inode.is_some();
        assert!(is_same, "clause 3: the descriptor of {record:?} is closed");
        numbers.insert(number);
    }
    numbers
}

fn forget_pages(address: usize, length: usize) {
    const PAGE: usize = 4096;
    let first = address.next_multiple_of(PAGE);
    let length = (address + length).saturating_sub(first) / PAGE * PAGE;
    if length > 0 {
        // SAFETY: whole pages of memory that nobody looks at again.
        unsafe { libc::madvise(first as *mut _, length, libc::MADV_DONTNEED) };
    }
}

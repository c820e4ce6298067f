//! The in-flight table: who is waiting, who is in the kernel's hands, and what they hold.
//!
//! A slot owns its payload (memory, descriptor, the client's token) from [`Table::insert`] until its
//! [`Machine`] settles, and the slot itself is reused only after every CQE that names it has come.
//! Like the machine, the table knows neither clock nor kernel: events in, actions out.

mod list;

use crate::machine::{Actions, Event, Machine, Verdict};
use crate::policy::CancelPolicy;
use crate::tag::{Key, GENERATION_MASK};
pub use list::List;
use list::{Links, NOWHERE};

/// CQEs that are never given to operations: two for cancels, so that a ring full of hung reads can
/// still be cancelled, two at a time.
pub const CANCEL_RESERVE: u32 = 2;
/// CQEs for the ring's timer and for a change of it.
pub const TIMER_RESERVE: u32 = 2;

/// A table of so many slots, or fewer, is never made smaller: as many as the largest usual completion queue, some MiB.
pub const KEPT_SLOTS: usize = 4096;

/// What a table may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The size of the completion queue. Operations and cancels in the kernel's hands, and the timer,
    /// never exceed it, so that it cannot overflow.
    pub completions: u32,
    /// How many operations may wait above those in flight.
    pub waiting: u32,
}

impl Limits {
    /// How many operations may be in flight.
    pub fn in_flight(&self) -> u32 {
        self.completions.saturating_sub(CANCEL_RESERVE + TIMER_RESERVE).max(1)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Slot<P> {
    generation: u64,
    machine: Machine,
    /// Whether the slot stands in the list of those whose cancel waits for room.
    in_cancels: bool,
    /// Whether the slot stands in [`Table::waiting`] (and not with somebody who parked it).
    in_waiting: bool,
    payload: Option<P>,
}

/// An operation as its client gets it back.
#[derive(Debug)]
pub struct Settled<P> {
    /// Which operation.
    pub key: Key,
    /// How it ended.
    pub verdict: Verdict,
    /// How many cancels were issued for it.
    pub attempts: u32,
    /// Whether somebody had asked for its cancellation.
    pub cancel_asked: bool,
    /// What it held. A stuck operation's payload must be leaked, never dropped.
    pub payload: P,
}

/// What came of an event: the machine's actions, and the operation if it settled.
#[derive(Debug)]
pub struct Outcome<P> {
    /// What is left for the driver to do.
    pub actions: Actions,
    /// The operation, if this event ended it.
    pub settled: Option<Settled<P>>,
}

impl<P> Outcome<P> {
    const NOTHING: Self = Self {
        actions: Actions {
            settle: None,
            release: false,
            resubmit: false,
            issue_cancel: false,
            arm_retry: None,
            arm_stuck: None,
            report_stuck: false,
        },
        settled: None,
    };
}

/// The table; see the [module](self).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Table<P> {
    slots: Vec<Slot<P>>,
    /// A bit for each slot that holds a payload: who looks for them all passes over 64 others at once.
    occupied: Vec<u64>,
    /// The highest generation of a slot that is gone: one that comes in its place goes on from there.
    retired_generation: u64,
    links: Links,
    free: List,
    waiting: List,
    cancels: List,
    limits: Limits,
    policy: CancelPolicy,
    in_flight: u32,
    unsettled: u32,
    cancels_outstanding: u32,
}

impl<P> Table<P> {
    /// An empty table. It grows as it is used, up to its limits.
    pub fn new(limits: Limits, policy: CancelPolicy) -> Self {
        Self {
            slots: Vec::new(),
            occupied: Vec::new(),
            retired_generation: 0,
            links: Links::default(),
            free: List::new(),
            waiting: List::new(),
            cancels: List::new(),
            limits,
            policy,
            in_flight: 0,
            unsettled: 0,
            cancels_outstanding: 0,
        }
    }

    /// The policy that its machines follow.
    pub fn policy(&self) -> &CancelPolicy {
        &self.policy
    }

    /// Operations in the kernel's hands.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Operations that wait: for room in flight, or for whoever parked them.
    #[inline(always)]
    pub fn waiting(&self) -> u32 {
        self.unsettled - self.in_flight
    }

    /// Operations that have not settled.
    pub fn unsettled(&self) -> u32 {
        self.unsettled
    }

    /// Cancels in the kernel's hands.
    pub fn cancels_outstanding(&self) -> u32 {
        self.cancels_outstanding
    }

    /// Whether another operation may wait. One that can go to the kernel at once needs no place in
    /// the queue, but as much room as those that do.
    #[inline(always)]
    pub fn has_room(&self) -> bool {
        self.waiting() < self.limits.waiting
            || (self.in_flight < self.limits.in_flight() && self.waiting() == 0)
    }

    /// Whether the kernel may be given another operation.
    #[inline(always)]
    pub fn may_submit(&self) -> bool {
        self.in_flight < self.limits.in_flight()
            && self.in_flight + self.cancels_outstanding + TIMER_RESERVE < self.limits.completions
    }

    /// Whether nobody stands in the queue before a new operation.
    #[inline(always)]
    pub fn is_queue_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes a slot for an operation, which neither stands in the queue nor is in flight yet: follow
    /// up with [`Table::submitted`] or [`Table::enqueue`], or park it in a [`List`] of your own.
    /// Gives the payload back if there is no room.
    #[inline(always)]
    pub fn insert(&mut self, payload: P) -> Result<Key, P> {
        if !self.has_room() {
            return Err(payload);
        }
        Ok(self.insert_beyond_limit(payload))
    }

    /// The same for an operation that settles before anything else happens, and so takes no room.
    #[inline(always)]
    pub fn insert_beyond_limit(&mut self, payload: P) -> Key {
        let slot = match self.free.pop_front(&mut self.links) {
            Some(slot) => slot,
            None => {
                let slot = self.slots.len() as u32;
                self.links.grow();
                if slot.is_multiple_of(64) {
                    self.occupied.push(0);
                }
                self.slots.push(Slot {
                    generation: self.retired_generation,
                    machine: Machine::new(),
                    in_cancels: false,
                    in_waiting: false,
                    payload: None,
                });
                slot
            }
        };
        let place = &mut self.slots[slot as usize];
        debug_assert!(place.payload.is_none());
        place.generation = (place.generation + 1) & GENERATION_MASK;
        place.payload = Some(payload);
        self.occupied[slot as usize / 64] |= 1 << (slot % 64);
        self.unsettled += 1;
        Key { slot, generation: place.generation }
    }

    /// Puts an operation at the end of the queue.
    pub fn enqueue(&mut self, key: Key) {
        if self.live(key).is_some_and(|slot| slot.machine.is_waiting() && !slot.in_waiting) {
            self.slots[key.slot as usize].in_waiting = true;
            self.waiting.push_back(&mut self.links, key.slot);
        }
    }

    /// Puts an operation at the head of the queue: one that is submitted again, or that found the
    /// submission queue full.
    pub fn enqueue_first(&mut self, key: Key) {
        if self.live(key).is_some_and(|slot| slot.machine.is_waiting() && !slot.in_waiting) {
            self.slots[key.slot as usize].in_waiting = true;
            self.waiting.push_front(&mut self.links, key.slot);
        }
    }

    /// The operation at the head of the queue, if the kernel may have it now. It leaves the queue.
    pub fn next_waiting(&mut self) -> Option<Key> {
        if !self.may_submit() {
            return None;
        }
        let slot = self.waiting.pop_front(&mut self.links)?;
        self.slots[slot as usize].in_waiting = false;
        Some(self.key(slot))
    }

    /// Parks a waiting operation in a list of the caller's, out of which it must be taken before it
    /// settles.
    pub fn park(&mut self, list: &mut List, key: Key) {
        debug_assert!(!self.slots[key.slot as usize].in_waiting);
        list.push_back(&mut self.links, key.slot);
    }

    /// Takes the first operation out of a list of the caller's.
    pub fn unpark_first(&mut self, list: &mut List) -> Option<Key> {
        let slot = list.pop_front(&mut self.links)?;
        Some(self.key(slot))
    }

    /// Takes this operation out of a list of the caller's, in which it must stand.
    pub fn unpark(&mut self, list: &mut List, key: Key) {
        list.remove(&mut self.links, key.slot);
    }

    /// The operation whose cancel has waited longest for room, if there is room now: say
    /// [`Event::CancelIssued`] for it.
    pub fn next_cancel(&mut self) -> Option<Key> {
        if !self.may_cancel() {
            return None;
        }
        let slot = self.cancels.pop_front(&mut self.links)?;
        self.slots[slot as usize].in_cancels = false;
        Some(self.key(slot))
    }

    /// Puts a cancel back that found the submission queue full.
    pub fn put_back_cancel(&mut self, key: Key) {
        if self.live(key).is_some_and(|slot| slot.machine.is_cancel_wanted() && !slot.in_cancels) {
            self.slots[key.slot as usize].in_cancels = true;
            self.cancels.push_front(&mut self.links, key.slot);
        }
    }

    /// Whether a cancel waits, and there is room for it now.
    pub fn may_cancel(&self) -> bool {
        let busy = self.in_flight + self.cancels_outstanding + TIMER_RESERVE;
        !self.cancels.is_empty() && busy < self.limits.completions
    }

    /// The payload of an operation that has not settled.
    #[inline(always)]
    pub fn payload(&self, key: Key) -> Option<&P> {
        self.live(key)?.payload.as_ref()
    }

    /// The payload of an operation that has not settled.
    #[inline(always)]
    pub fn payload_mut(&mut self, key: Key) -> Option<&mut P> {
        self.live_mut(key)?.payload.as_mut()
    }

    /// The machine of an operation whose slot is not free again.
    #[inline(always)]
    pub fn machine(&self, key: Key) -> Option<&Machine> {
        self.live(key).map(|slot| &slot.machine)
    }

    /// The key of the operation in a slot that has not settled.
    pub fn key_in(&self, slot: u32) -> Option<Key> {
        self.slots.get(slot as usize)?.payload.as_ref()?;
        Some(self.key(slot))
    }

    /// Every operation that has not settled, in the order of their slots.
    pub fn unsettled_keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.occupied.iter().zip(0_u32..).flat_map(move |(&word, index)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(self.key(index * 64 + bit))
            })
        })
    }

    /// Says that an operation's SQE was queued for the kernel. It must stand in no list.
    #[inline(always)]
    pub fn submitted(&mut self, key: Key, asynchronous: bool) {
        debug_assert!(self.may_submit());
        let policy = &self.policy;
        let slot = &mut self.slots[key.slot as usize];
        debug_assert!(slot.generation == key.generation && !slot.in_waiting);
        slot.machine.step(Event::Submitted { asynchronous }, policy);
        self.in_flight += 1;
    }

    /// Tells an operation's machine what happened. A stale key, one whose slot is free again or has
    /// another generation, changes nothing.
    #[inline(always)]
    pub fn apply(&mut self, key: Key, event: Event) -> Outcome<P> {
        let Some(slot) = self.slots.get_mut(key.slot as usize) else {
            return Outcome::NOTHING;
        };
        if slot.generation != key.generation {
            return Outcome::NOTHING;
        }
        let was_in_flight = slot.machine.is_in_flight();
        let was_outstanding = slot.machine.is_cancel_outstanding();
        let actions = slot.machine.step(event, &self.policy);
        let is_outstanding = slot.machine.is_cancel_outstanding();
        let is_in_flight = slot.machine.is_in_flight();

        self.in_flight += u32::from(is_in_flight && !was_in_flight);
        self.in_flight -= u32::from(was_in_flight && !is_in_flight);
        self.cancels_outstanding += u32::from(is_outstanding && !was_outstanding);
        self.cancels_outstanding -= u32::from(was_outstanding && !is_outstanding);
        if actions.issue_cancel {
            slot.in_cancels = true;
            self.cancels.push_back(&mut self.links, key.slot);
        }
        let settled = actions.settle.and_then(|verdict| self.take(key, verdict));
        if actions.release {
            // Low slots first, so that the highest come free.
            if key.slot < KEPT_SLOTS as u32 {
                self.free.push_front(&mut self.links, key.slot);
            } else {
                self.free.push_back(&mut self.links, key.slot);
            }
            // A key that is kept beyond this point must not match, even before the slot is reused.
            let slot = &mut self.slots[key.slot as usize];
            slot.generation = (slot.generation + 1) & GENERATION_MASK;
            // A free slot has no history: tables that behave alike are equal, which a model checker needs.
            slot.machine = Machine::new();
            if self.slots.len() > KEPT_SLOTS && key.slot as usize + 1 == self.slots.len() {
                self.drop_last();
            }
        }
        self.check();
        Outcome { actions, settled }
    }

    /// The last slot is free, and perhaps more before it: they go, down to those that are always kept. (Each of them was
    /// pushed by an operation of its own, which paid for this.)
    #[cold]
    fn drop_last(&mut self) {
        let is_free = |slot: &Slot<P>| slot.payload.is_none() && slot.machine.is_waiting();
        while self.slots.len() > KEPT_SLOTS && self.slots.last().is_some_and(is_free) {
            let slot = self.slots.len() as u32 - 1;
            self.free.remove(&mut self.links, slot);
            let generation = self.slots.pop().map_or(0, |slot| slot.generation);
            self.retired_generation = self.retired_generation.max(generation);
        }
        let length = self.slots.len();
        self.links.truncate(length);
        self.occupied.truncate(length.div_ceil(64));
        if self.slots.capacity() > 4 * length {
            self.slots.shrink_to(2 * length);
            self.links.shrink_to(2 * length);
            self.occupied.shrink_to(2 * length.div_ceil(64));
        }
    }

    /// How many slots there are, free ones included.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Takes a settled operation's payload, and its slot out of the lists.
    #[inline(always)]
    fn take(&mut self, key: Key, verdict: Verdict) -> Option<Settled<P>> {
        let slot = &mut self.slots[key.slot as usize];
        if std::mem::take(&mut slot.in_cancels) {
            self.cancels.remove(&mut self.links, key.slot);
        }
        if std::mem::take(&mut slot.in_waiting) {
            self.waiting.remove(&mut self.links, key.slot);
        }
        self.unsettled -= 1;
        self.occupied[key.slot as usize / 64] &= !(1 << (key.slot % 64));
        slot.payload.take().map(|payload| Settled {
            key,
            verdict,
            attempts: slot.machine.attempts(),
            cancel_asked: slot.machine.is_cancel_asked(),
            payload,
        })
    }

    #[inline(always)]
    fn live(&self, key: Key) -> Option<&Slot<P>> {
        self.slots.get(key.slot as usize).filter(|slot| slot.generation == key.generation)
    }

    #[inline(always)]
    fn live_mut(&mut self, key: Key) -> Option<&mut Slot<P>> {
        self.slots.get_mut(key.slot as usize).filter(|slot| slot.generation == key.generation)
    }

    #[inline(always)]
    fn key(&self, slot: u32) -> Key {
        debug_assert!(slot != NOWHERE);
        Key { slot, generation: self.slots[slot as usize].generation }
    }

    #[inline]
    fn check(&self) {
        debug_assert!(
            self.in_flight + self.cancels_outstanding + TIMER_RESERVE <= self.limits.completions,
            "the completion queue could overflow"
        );
        debug_assert!(self.in_flight <= self.unsettled);
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

//! The in-flight table, by the clauses of the contract (docs/contract.md), and driven at random by a
//! hostile kernel.

use super::*;
use std::collections::{HashMap, HashSet, VecDeque};

fn limits(completions: u32, waiting: u32) -> Limits {
    Limits { completions, waiting }
}

/// Room for four in flight, and eight that wait.
fn table() -> Table<u32> {
    Table::new(limits(8, 8), CancelPolicy::default())
}

fn completed(result: i32) -> Event {
    Event::TargetCompleted { result, more: false, notification: false }
}

fn submit<P: std::fmt::Debug>(table: &mut Table<P>, payload: P) -> Key {
    let key = table.insert(payload).expect("room");
    table.submitted(key, false);
    key
}

fn enqueue(table: &mut Table<u32>, payload: u32) -> Key {
    let key = table.insert(payload).expect("room");
    table.enqueue(key);
    key
}

fn ask(table: &mut Table<u32>, keys: &[Key]) {
    for &key in keys {
        assert!(table.apply(key, Event::CancelAsked).actions.issue_cancel);
    }
}

/// Asks for a cancel and issues it.
fn cancel(table: &mut Table<u32>, key: Key) {
    table.apply(key, Event::CancelAsked);
    assert_eq!(table.next_cancel(), Some(key));
    table.apply(key, Event::CancelIssued);
}

impl<P> Table<P> {
    fn listed(&self, list: &List) -> Vec<u32> {
        let slots: Vec<u32> = list.iter(&self.links).collect();
        assert_eq!(slots.len() as u32, list.len());
        assert_eq!(slots.is_empty(), list.is_empty());
        slots
    }

    /// Checks everything that must hold between two calls. `parked` is the caller's list.
    fn audit(&self, parked: &List) {
        let (free, waiting) = (self.listed(&self.free), self.listed(&self.waiting));
        let (cancels, parked) = (self.listed(&self.cancels), self.listed(parked));
        let mut seen = HashSet::new();
        for slot in free.iter().chain(&waiting).chain(&cancels).chain(&parked) {
            assert!(seen.insert(*slot), "slot {slot} stands in two lists");
        }
        let count = |wanted: fn(&Slot<P>) -> bool| {
            self.slots.iter().filter(|slot| wanted(slot)).count() as u32
        };
        assert_eq!(self.in_flight, count(|slot| slot.machine.is_in_flight()));
        assert_eq!(self.unsettled, count(|slot| slot.payload.is_some()));
        assert_eq!(self.cancels_outstanding, count(|slot| slot.machine.is_cancel_outstanding()));
        let on_the_way = self.in_flight + self.cancels_outstanding + TIMER_RESERVE;
        assert!(on_the_way <= self.limits.completions);
        assert!(self.in_flight <= self.limits.in_flight());
        for (slot, place) in self.slots.iter().enumerate() {
            let slot = slot as u32;
            let machine = &place.machine;
            assert_eq!(place.in_waiting, waiting.contains(&slot));
            assert_eq!(place.in_cancels, cancels.contains(&slot));
            let unsettled = place.payload.is_some();
            assert!(!free.contains(&slot) || !unsettled, "clause 3: a free slot holds memory");
            assert!(!free.contains(&slot) || !machine.is_cancel_outstanding(), "clause 6");
            let is_free = free.contains(&slot);
            assert_eq!(unsettled, !is_free && !machine.is_settled(), "clause 1");
            assert!(!is_free || *machine == Machine::new(), "a free slot has no history");
            assert!(!place.in_waiting || machine.is_waiting());
            assert!(!place.in_cancels || (machine.is_in_flight() && machine.is_cancel_wanted()));
        }
    }
}

// Clause 7: bounded.

#[test]
fn clause_7_bounded_the_reserves_are_never_given_to_operations() {
    assert_eq!(limits(4096, 0).in_flight(), 4092);
    assert_eq!(limits(8, 0).in_flight(), 4);
    assert_eq!(limits(5, 0).in_flight(), 1);
    assert_eq!(limits(0, 0).in_flight(), 1, "but the smallest ring that works has five CQEs");

    let mut table = table();
    let keys: Vec<Key> = (0..4).map(|payload| submit(&mut table, payload)).collect();
    assert!(!table.may_submit());
    ask(&mut table, &keys);
    for &key in &keys[..2] {
        assert!(table.may_cancel());
        assert_eq!(table.next_cancel(), Some(key), "in the order in which they were asked for");
        table.apply(key, Event::CancelIssued);
    }
    assert_eq!((table.in_flight(), table.cancels_outstanding()), (4, 2));
    assert!(!table.may_cancel(), "two at a time");
    assert_eq!(table.next_cancel(), None);
    table.apply(keys[0], Event::CancelAnswered(0));
    assert!(table.may_cancel());
    assert_eq!(table.next_cancel(), Some(keys[2]));
    table.apply(keys[2], Event::CancelIssued);
    // A settled operation's CQE is free, but the answer that is due still takes one.
    table.apply(keys[1], completed(-libc::ECANCELED));
    submit(&mut table, 4);
    assert_eq!((table.in_flight(), table.cancels_outstanding()), (4, 2));
    table.apply(keys[0], completed(-libc::ECANCELED));
    submit(&mut table, 5);
    assert_eq!((table.in_flight(), table.cancels_outstanding()), (4, 2));
    assert!(!table.may_submit() && !table.may_cancel());
    table.audit(&List::new());
}

#[test]
fn clause_7_bounded_cancels_may_take_the_room_of_operations_but_not_the_timers() {
    let mut table = table();
    let keys: Vec<Key> = (0..3).map(|payload| submit(&mut table, payload)).collect();
    keys.iter().for_each(|&key| cancel(&mut table, key));
    assert_eq!((table.in_flight(), table.cancels_outstanding()), (3, 3));
    assert!(!table.may_submit());
    table.audit(&List::new());
}

#[test]
fn clause_7_bounded_no_entry_is_kept_back_beyond_the_reserves() {
    let mut table = Table::new(limits(12, 8), CancelPolicy::default());
    let keys: Vec<Key> = (0..5).map(|payload| submit(&mut table, payload)).collect();
    keys[..4].iter().for_each(|&key| cancel(&mut table, key));
    ask(&mut table, &keys[4..]);
    // Five operations, four cancels and the timer's two: one entry is left, for either.
    assert!(table.may_submit() && table.may_cancel());
    submit(&mut table, 5);
    assert!(!table.may_submit() && !table.may_cancel());
    table.audit(&List::new());
}

#[test]
fn clause_7_bounded_the_queue_has_a_limit() {
    let mut table = Table::new(limits(8, 2), CancelPolicy::default());
    for payload in 0..4 {
        submit(&mut table, payload);
    }
    for payload in [4, 5] {
        assert!(table.has_room());
        enqueue(&mut table, payload);
    }
    assert!(!table.has_room());
    assert_eq!(table.insert(6), Err(6), "the payload comes back");
    assert_eq!((table.unsettled(), table.in_flight(), table.waiting()), (6, 4, 2));
    table.audit(&List::new());
}

#[test]
fn clause_7_bounded_without_a_queue_only_who_can_go_at_once_is_taken() {
    let mut table = Table::new(limits(8, 0), CancelPolicy::default());
    let keys: Vec<Key> = (0..4).map(|payload| submit(&mut table, payload)).collect();
    assert_eq!(table.insert(4), Err(4));
    table.apply(keys[0], completed(0));
    assert!(table.insert(5).is_ok());
    assert_eq!(table.insert(6), Err(6), "one that was taken waits already");
}

#[test]
fn clause_7_bounded_the_queue_is_served_in_order() {
    let mut table = table();
    assert!(table.is_queue_empty());
    let keys: Vec<Key> = (0..6).map(|payload| enqueue(&mut table, payload)).collect();
    assert!(!table.is_queue_empty());
    for &key in &keys[..2] {
        assert_eq!(table.next_waiting(), Some(key));
        table.submitted(key, false);
    }
    // It found no room in the submission queue, or was interrupted: it heads the queue.
    assert_eq!(table.next_waiting(), Some(keys[2]));
    table.enqueue_first(keys[2]);
    assert_eq!(table.next_waiting(), Some(keys[2]));
    table.submitted(keys[2], false);
    assert!(table.apply(keys[2], completed(-libc::EINTR)).actions.resubmit);
    assert_eq!(table.in_flight(), 2);
    table.enqueue_first(keys[2]);
    // Who goes leaves no gap.
    let outcome = table.apply(keys[3], Event::CancelAsked);
    assert_eq!(outcome.settled.map(|settled| settled.payload), Some(3));
    for key in [keys[2], keys[4]] {
        assert_eq!(table.next_waiting(), Some(key));
        table.submitted(key, false);
    }
    assert_eq!(table.next_waiting(), None, "four are in flight");
    table.apply(keys[4], completed(0));
    assert_eq!(table.next_waiting(), Some(keys[5]));
    table.submitted(keys[5], false);
    assert_eq!(table.next_waiting(), None);
    table.audit(&List::new());
}

#[test]
fn clause_7_bounded_nobody_stands_in_the_queue_twice() {
    let mut table = table();
    let key = enqueue(&mut table, 0);
    table.enqueue(key);
    table.enqueue_first(key);
    assert_eq!(table.next_waiting(), Some(key));
    table.submitted(key, false);
    table.enqueue(key);
    table.enqueue_first(key);
    assert!(table.is_queue_empty(), "it is in flight");
    table.audit(&List::new());
}

#[test]
fn clause_7_bounded_what_waits_is_cancelled_wherever_it_stands() {
    for position in 0..5 {
        let mut table = table();
        let mut keys: Vec<Key> = (0..5).map(|payload| enqueue(&mut table, payload)).collect();
        let outcome = table.apply(keys[position], Event::CancelAsked);
        let settled = outcome.settled.expect("at once");
        assert_eq!((settled.verdict, settled.payload), (Verdict::Cancelled, position as u32));
        assert_eq!((settled.attempts, settled.cancel_asked), (0, true));
        keys.remove(position);
        let slots: Vec<u32> = keys.iter().map(|key| key.slot).collect();
        assert_eq!(table.listed(&table.waiting), slots);
        table.audit(&List::new());
    }
}

#[test]
fn clause_7_bounded_the_parked_count_as_waiting_and_leave_from_anywhere() {
    let mut table = table();
    let mut parked = List::new();
    let keys: Vec<Key> = (0..4).map(|payload| table.insert(payload).unwrap()).collect();
    keys.iter().for_each(|&key| table.park(&mut parked, key));
    assert_eq!((table.waiting(), parked.len()), (4, 4));
    assert!(table.is_queue_empty());
    table.unpark(&mut parked, keys[1]);
    assert!(table.apply(keys[1], Event::CancelAsked).settled.is_some());
    table.audit(&parked);
    assert_eq!(table.unpark_first(&mut parked), Some(keys[0]));
    table.unpark(&mut parked, keys[3]);
    assert_eq!(table.unpark_first(&mut parked), Some(keys[2]));
    assert_eq!(table.unpark_first(&mut parked), None);
    assert!(parked.is_empty());
}

#[test]
fn clause_7_bounded_a_cancel_that_found_no_room_goes_first() {
    let mut table = table();
    let keys: Vec<Key> = (0..3).map(|payload| submit(&mut table, payload)).collect();
    ask(&mut table, &keys);
    let first = table.next_cancel().unwrap();
    table.put_back_cancel(first);
    table.audit(&List::new());
    let order: Vec<Key> = std::iter::from_fn(|| {
        let key = table.next_cancel()?;
        table.apply(key, Event::CancelIssued);
        Some(key)
    })
    .collect();
    assert_eq!(order, keys);
}

#[test]
fn clause_7_bounded_a_cancel_that_became_pointless_is_not_put_back() {
    let mut table = table();
    let key = submit(&mut table, 0);
    table.apply(key, Event::CancelAsked);
    assert_eq!(table.next_cancel(), Some(key));
    assert!(table.apply(key, completed(8)).actions.release);
    table.put_back_cancel(key);
    table.audit(&List::new());
    assert_eq!(table.next_cancel(), None);
    // Nor is one that stands in the list already, or that was issued.
    let key = submit(&mut table, 1);
    table.apply(key, Event::CancelAsked);
    table.put_back_cancel(key);
    assert_eq!(table.next_cancel(), Some(key));
    table.apply(key, Event::CancelIssued);
    table.put_back_cancel(key);
    table.audit(&List::new());
    assert_eq!(table.next_cancel(), None);
}

#[test]
fn clause_7_bounded_a_wish_to_cancel_leaves_the_list_with_its_operation() {
    let mut table = table();
    let keys: Vec<Key> = (0..3).map(|payload| submit(&mut table, payload)).collect();
    ask(&mut table, &keys);
    assert!(table.apply(keys[1], completed(8)).actions.release);
    table.audit(&List::new());
    assert_eq!(table.next_cancel(), Some(keys[0]));
    table.apply(keys[0], Event::CancelIssued);
    assert_eq!(table.next_cancel(), Some(keys[2]));
}

#[test]
fn clause_7_bounded_every_way_into_the_kernel_is_counted() {
    let mut table = table();
    let key = table.insert(0).unwrap();
    table.apply(key, Event::Submitted { asynchronous: false });
    assert_eq!((table.in_flight(), table.waiting()), (1, 0));
    table.apply(key, completed(0));
    assert_eq!((table.in_flight(), table.unsettled()), (0, 0));
    table.audit(&List::new());
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "the completion queue could overflow")]
fn clause_7_bounded_a_driver_that_asks_nobody_is_stopped() {
    let mut table = table();
    for payload in 0..7 {
        let key = table.insert(payload).unwrap();
        table.apply(key, Event::Submitted { asynchronous: false });
    }
}

#[test]
fn clause_2_live_the_table_follows_the_policy_that_it_was_given() {
    let policy = CancelPolicy { reissue: false, ..CancelPolicy::default() };
    let mut table = Table::new(limits(8, 8), policy.clone());
    assert_eq!(*table.policy(), policy);
    let key = submit(&mut table, 0);
    table.apply(key, Event::CancelAsked);
    assert_eq!(table.next_cancel(), Some(key));
    assert_eq!(table.apply(key, Event::CancelIssued).actions, Actions::default());
}

// Clauses 1 and 3: once, and memory.

#[test]
fn clause_3_memory_the_payload_stays_until_the_final_cqe() {
    let mut table = table();
    let key = submit(&mut table, 7);
    cancel(&mut table, key);
    for answer in [0, -libc::ENOENT, -libc::EALREADY] {
        assert!(table.apply(key, Event::CancelAnswered(answer)).settled.is_none());
        assert_eq!(table.payload(key), Some(&7));
        table.apply(key, Event::RetryDue);
        assert_eq!(table.next_cancel(), Some(key));
        table.apply(key, Event::CancelIssued);
    }
    let more = Event::TargetCompleted { result: 3, more: true, notification: false };
    assert!(table.apply(key, more).settled.is_none());
    *table.payload_mut(key).unwrap() += 1;
    let settled = table.apply(key, completed(5)).settled.expect("final");
    assert_eq!((settled.key, settled.verdict), (key, Verdict::Completed(8)));
    assert_eq!((settled.payload, settled.attempts, settled.cancel_asked), (8, 4, true));
    assert_eq!(table.payload(key), None);
    assert!(table.payload_mut(key).is_none());
    assert_eq!((table.in_flight(), table.unsettled(), table.cancels_outstanding()), (0, 0, 1));
    table.audit(&List::new());
}

#[test]
fn clause_3_memory_a_slot_that_was_given_up_is_never_used_again() {
    let mut table = table();
    let stuck = submit(&mut table, 0);
    cancel(&mut table, stuck);
    let settled = table.apply(stuck, Event::Abandoned).settled.expect("given up");
    assert_eq!((settled.verdict, settled.payload), (Verdict::Stuck, 0));
    table.apply(stuck, Event::CancelAnswered(-libc::EALREADY));
    assert!(table.apply(stuck, completed(8)).settled.is_none(), "too late");
    for payload in 1..100 {
        let key = submit(&mut table, payload);
        assert_ne!(key.slot, stuck.slot);
        assert!(table.apply(key, completed(0)).actions.release);
        table.audit(&List::new());
    }
    assert_eq!(table.key_in(stuck.slot), None);
    assert_eq!(table.unsettled_keys().count(), 0);
}

#[test]
fn clause_1_once_what_is_given_up_in_the_queue_is_cancelled() {
    let mut table = table();
    let key = enqueue(&mut table, 5);
    let settled = table.apply(key, Event::Abandoned).settled.expect("at once");
    assert_eq!((settled.verdict, settled.cancel_asked), (Verdict::Cancelled, false));
    assert!(table.is_queue_empty());
    table.audit(&List::new());
}

// Clause 6: no mistaken identity.

#[test]
fn clause_6_no_mistaken_identity_a_stale_key_reaches_nobody() {
    let mut table = table();
    let stale = submit(&mut table, 0);
    table.apply(stale, completed(0));
    let beyond = Key { slot: 99, generation: 1 };
    for reused in [false, true] {
        let live = reused.then(|| submit(&mut table, 1));
        assert!(live.is_none_or(|live| live.slot == stale.slot));
        let before = table.clone();
        for key in [stale, beyond] {
            for event in [
                Event::CancelAsked,
                Event::CancelIssued,
                Event::CancelAnswered(0),
                completed(8),
                Event::RetryDue,
                Event::StuckDue,
                Event::Abandoned,
            ] {
                let outcome = table.apply(key, event);
                assert!(outcome.settled.is_none());
                assert_eq!(outcome.actions, Actions::default());
            }
            table.enqueue(key);
            table.enqueue_first(key);
            assert!(table.payload(key).is_none() && table.payload_mut(key).is_none());
            assert!(table.machine(key).is_none());
        }
        assert_eq!(table, before);
    }
}

#[test]
fn clause_6_no_mistaken_identity_a_slot_is_reused_only_after_the_cancels_answer() {
    let mut table = table();
    let first = submit(&mut table, 0);
    cancel(&mut table, first);
    assert!(table.apply(first, completed(8)).settled.is_some());
    assert!(table.machine(first).is_some_and(Machine::is_cancel_outstanding));
    assert_eq!(table.key_in(first.slot), None);
    let second = submit(&mut table, 1);
    assert_ne!(second.slot, first.slot);
    assert!(table.apply(first, Event::CancelAnswered(-libc::ENOENT)).actions.release);
    assert!(table.machine(first).is_none(), "stale before the slot is reused");
    let third = submit(&mut table, 2);
    assert_eq!(third.slot, first.slot);
    assert_ne!(third.generation, first.generation);
    assert_eq!(table.key_in(third.slot), Some(third));
    assert_eq!(table.unsettled_keys().collect::<HashSet<_>>(), [second, third].into());
}

#[test]
fn clause_6_no_mistaken_identity_generations_never_leave_their_bits() {
    let mut table = table();
    let key = submit(&mut table, 0);
    table.apply(key, completed(0));
    for (start, expected) in
        [(GENERATION_MASK - 1, [GENERATION_MASK, 1, 3]), (GENERATION_MASK, [0, 2, 4])]
    {
        table.slots[0].generation = start;
        for generation in expected {
            let key = submit(&mut table, 0);
            assert_eq!((key.slot, key.generation), (0, generation));
            table.apply(key, completed(0));
        }
    }
}

#[test]
fn clause_3_memory_the_payload_stays_while_the_kernel_polls_or_pauses_for_it() {
    let mut table = table();
    let key = submit(&mut table, 7);
    // An attempt, a poll; an attempt, a pause, a poll.
    for event in
        [Event::TargetNotReady, completed(1), Event::TargetNotReady, completed(0), completed(1)]
    {
        let Outcome { actions, settled } = table.apply(key, event);
        assert!(actions.resubmit && settled.is_none(), "{event:?}");
        assert_eq!((table.payload(key), table.in_flight(), table.waiting()), (Some(&7), 0, 1));
        table.enqueue_first(key);
        assert_eq!(table.next_waiting(), Some(key));
        table.submitted(key, false);
        assert_eq!((table.payload(key), table.in_flight(), table.waiting()), (Some(&7), 1, 0));
    }
    table.apply(key, Event::TargetNotReady);
    table.enqueue_first(key);
    table.next_waiting();
    table.submitted(key, false);
    // Asked during a pause: the payload comes back with the pause's own CQE, and not before.
    assert!(table.apply(key, Event::CancelAsked).settled.is_none());
    assert_eq!(table.payload(key), Some(&7));
    assert_eq!(table.next_cancel(), Some(key));
    table.apply(key, Event::CancelIssued);
    assert!(table.apply(key, Event::CancelAnswered(0)).settled.is_none());
    let settled = table.apply(key, completed(-libc::ECANCELED)).settled.expect("it ended");
    assert_eq!((settled.payload, settled.verdict, settled.attempts), (7, Verdict::Cancelled, 1));
    assert_eq!((table.in_flight(), table.unsettled(), table.payload(key)), (0, 0, None));
}

// The random driver.

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % bound
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn take<T>(&mut self, of: &mut Vec<T>) -> Option<T> {
        (!of.is_empty()).then(|| of.swap_remove(self.below(of.len())))
    }
}

/// A table with its driver: a client that does anything, a kernel that answers in any order.
struct Driver {
    table: Table<u64>,
    parked: List,
    /// Who stands in `parked`, in order.
    parked_keys: VecDeque<Key>,
    /// Operations in the kernel's hands, by how many CQEs with `F_MORE` they have had.
    kernel: Vec<(Key, u32)>,
    /// Cancels whose answers are due.
    cancels: Vec<Key>,
    /// Delays that run.
    delays: Vec<Key>,
    /// Operations that have not come back, with their payloads.
    live: HashMap<Key, u64>,
    /// Keys of operations that have.
    stale: Vec<Key>,
    inserted: u64,
    settled: u64,
    /// Slots that were given up.
    leaked: HashSet<u32>,
}

impl Driver {
    fn new(limits: Limits) -> Self {
        Self {
            table: Table::new(limits, CancelPolicy::default()),
            parked: List::new(),
            parked_keys: VecDeque::new(),
            kernel: Vec::new(),
            cancels: Vec::new(),
            delays: Vec::new(),
            live: HashMap::new(),
            stale: Vec::new(),
            inserted: 0,
            settled: 0,
            leaked: HashSet::new(),
        }
    }

    fn apply(&mut self, key: Key, event: Event) {
        let Outcome { actions, settled } = self.table.apply(key, event);
        assert_eq!(actions.settle.is_some(), settled.is_some());
        if let Some(settled) = settled {
            assert_eq!(settled.key, key);
            let payload = self.live.remove(&key);
            assert_eq!(payload, Some(settled.payload), "clause 1: not settled before");
            let in_the_kernel = self.kernel.iter().any(|&(held, _)| held == key);
            assert_eq!(in_the_kernel, settled.verdict == Verdict::Stuck, "clause 3");
            if in_the_kernel {
                self.leaked.insert(key.slot);
            }
            self.settled += 1;
            self.stale.push(key);
        }
        if actions.resubmit {
            self.table.enqueue_first(key);
        }
        if actions.arm_retry.is_some() {
            self.delays.push(key);
        }
        if actions.release {
            assert!(!self.cancels.contains(&key), "clause 6: a cancel names the slot");
            assert!(!self.leaked.contains(&key.slot), "clause 3: the kernel holds it");
        }
    }

    fn insert(&mut self, random: &mut Random) {
        let payload = self.inserted;
        let Ok(key) = self.table.insert(payload) else {
            assert!(!self.table.has_room());
            return;
        };
        self.inserted += 1;
        assert!(self.live.insert(key, payload).is_none() && !self.stale.contains(&key));
        match random.below(4) {
            0 => {
                self.table.park(&mut self.parked, key);
                self.parked_keys.push_back(key);
            }
            1 if self.table.is_queue_empty() && self.table.may_submit() => {
                self.table.submitted(key, random.below(2) == 0);
                self.kernel.push((key, 0));
            }
            _ => self.table.enqueue(key),
        }
    }

    fn unpark(&mut self, key: Key) {
        if let Some(position) = self.parked_keys.iter().position(|&parked| parked == key) {
            self.parked_keys.remove(position);
            self.table.unpark(&mut self.parked, key);
        }
    }

    fn fill(&mut self, random: &mut Random) {
        while let Some(key) = self.table.next_cancel() {
            if random.below(5) == 0 {
                self.table.put_back_cancel(key);
                return;
            }
            assert!(!self.cancels.contains(&key), "clause 7: one cancel at a time");
            assert!(self.kernel.iter().any(|&(held, _)| held == key), "clause 6");
            self.cancels.push(key);
            self.apply(key, Event::CancelIssued);
        }
        while let Some(key) = self.table.next_waiting() {
            if random.below(5) == 0 {
                self.table.enqueue_first(key);
                return;
            }
            self.table.submitted(key, random.below(2) == 0);
            self.kernel.push((key, 0));
        }
        assert!(!self.table.may_cancel());
    }

    fn complete(&mut self, random: &mut Random) {
        let Some((key, followed)) = random.take(&mut self.kernel) else { return };
        let result = random.pick(&[8, 0, 3, -libc::EIO, -libc::EINTR, -512, -libc::EAGAIN]);
        let result = if random.below(2) == 0 { -libc::ECANCELED } else { result };
        let more = followed < 3 && random.below(6) == 0;
        let notification = !more && followed > 0 && random.below(2) == 0;
        if more {
            self.kernel.push((key, followed + 1));
        }
        let is_miss =
            result == -libc::EAGAIN && !more && !notification && key.slot.is_multiple_of(2);
        self.apply(
            key,
            match is_miss {
                true => Event::TargetNotReady,
                false => Event::TargetCompleted { result, more, notification },
            },
        );
    }

    fn step(&mut self, random: &mut Random) {
        match random.below(12) {
            0..=2 => self.insert(random),
            3 | 4 => self.fill(random),
            5 | 6 => self.complete(random),
            7 => {
                if let Some(key) = random.take(&mut self.cancels) {
                    let answer =
                        random.pick(&[0, 1, -libc::ENOENT, -libc::EALREADY, -libc::EINVAL]);
                    self.apply(key, Event::CancelAnswered(answer));
                }
            }
            8 => {
                if let Some(key) = random.take(&mut self.delays) {
                    self.apply(key, Event::RetryDue);
                }
            }
            9 => {
                let keys: Vec<Key> = self.table.unsettled_keys().collect();
                if !keys.is_empty() {
                    let key = random.pick(&keys);
                    self.unpark(key);
                    self.apply(key, Event::CancelAsked);
                }
            }
            10 => {
                assert_eq!(
                    self.table.unpark_first(&mut self.parked),
                    self.parked_keys.front().copied()
                );
                if let Some(key) = self.parked_keys.pop_front() {
                    self.table.enqueue(key);
                }
            }
            _ => {
                if !self.stale.is_empty() {
                    // What a client, a timer or a kernel might say too late.
                    let key = random.pick(&self.stale);
                    if !self.leaked.contains(&key.slot) {
                        self.apply(key, Event::CancelAsked);
                        self.apply(key, Event::RetryDue);
                        self.apply(key, Event::StuckDue);
                        self.table.put_back_cancel(key);
                    }
                }
            }
        }
        self.audit();
    }

    fn audit(&self) {
        self.table.audit(&self.parked);
        assert_eq!(self.live.len() as u32, self.table.unsettled());
        assert_eq!(self.inserted, self.settled + self.live.len() as u64, "conservation");
        let held = self.kernel.iter().filter(|(key, _)| !self.leaked.contains(&key.slot));
        assert_eq!(held.count() as u32, self.table.in_flight());
        assert_eq!(self.cancels.len() as u32, self.table.cancels_outstanding());
        for (&key, payload) in &self.live {
            assert_eq!(self.table.payload(key), Some(payload));
            assert_eq!(self.table.key_in(key.slot), Some(key));
        }
    }

    /// Lets everything end; with `give_up`, not by the kernel.
    fn finish(mut self, random: &mut Random, give_up: bool) {
        let keys: Vec<Key> = self.table.unsettled_keys().collect();
        for key in keys {
            self.unpark(key);
            self.apply(key, if give_up { Event::Abandoned } else { Event::CancelAsked });
            self.audit();
        }
        for _ in 0..100_000 {
            if self.live.is_empty() && self.kernel.is_empty() && self.cancels.is_empty() {
                break;
            }
            match random.below(3) {
                0 => self.fill(random),
                1 => self.complete(random),
                _ => {
                    if let Some(key) = random.take(&mut self.cancels) {
                        self.apply(key, Event::CancelAnswered(0));
                    }
                }
            }
            self.audit();
        }
        assert!(self.live.is_empty(), "everything settles");
        let free = self.table.free.len() as usize;
        assert_eq!(free + self.leaked.len(), self.table.slots.len(), "no slot is lost");
    }
}

#[test]
fn clause_1_once_and_all_the_others_under_a_hostile_kernel() {
    let mut settled = 0;
    for seed in 0..100 {
        let mut random = Random(seed);
        let completions = random.pick(&[5, 6, 8, 13, 40]);
        let waiting = random.pick(&[0, 1, 5, 30]);
        let mut driver = Driver::new(limits(completions, waiting));
        for _ in 0..1_000 {
            driver.step(&mut random);
        }
        settled += driver.settled;
        driver.finish(&mut random, seed % 2 == 0);
    }
    assert!(settled > 5_000, "{settled} operations");
}

#[test]
fn a_table_shrinks_after_a_burst_and_forgets_no_generation() {
    const BURST: u32 = 40_000;
    let mut table: Table<u32> = Table::new(limits(BURST + 16, 0), CancelPolicy::default());
    let first: Vec<Key> = (0..BURST).map(|payload| submit(&mut table, payload)).collect();
    // The last one stays, and with it its place; what comes meanwhile takes the lowest places.
    let (last, others) = first.split_last().expect("there are some");
    for &key in others {
        assert!(table.apply(key, completed(0)).actions.release);
    }
    let low = submit(&mut table, 1);
    assert!((low.slot as usize) < KEPT_SLOTS);
    assert_eq!(table.unsettled_keys().collect::<Vec<_>>(), [low, *last]);
    assert!(table.apply(*last, completed(0)).actions.release);
    assert_eq!(table.slots(), KEPT_SLOTS, "the burst is over");
    assert!(table.slots.capacity() <= 4 * KEPT_SLOTS && table.occupied.len() == KEPT_SLOTS / 64);
    assert!(table.apply(low, completed(0)).actions.release);
    table.audit(&List::new());
    // The same again: no key of before names anybody now.
    let second: HashSet<Key> = (0..BURST).map(|payload| submit(&mut table, payload)).collect();
    assert_eq!(second.len(), BURST as usize);
    for key in first {
        assert!(!second.contains(&key) && table.payload(key).is_none());
    }
    table.audit(&List::new());
}

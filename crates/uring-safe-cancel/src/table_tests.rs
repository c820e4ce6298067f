//! The in-flight table, by the clauses of the contract (docs/contract.md), and driven at random by a
//! hostile kernel.

#[path = "table_tests/bounded.rs"]
mod bounded;
#[path = "table_tests/hostile.rs"]
mod hostile;
#[path = "table_tests/shrinking.rs"]
mod shrinking;

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

//! Clause 7: everything has a bound.

use super::*;

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

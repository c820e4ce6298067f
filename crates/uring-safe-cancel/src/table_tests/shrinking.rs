//! Clause 7: after a burst a table gives its memory back.

use super::*;

/// Releases the lowest slots last, so that slot 0 is taken next.
fn release_all(table: &mut Table<u32>, keys: &[Key]) {
    for &key in keys.iter().rev() {
        assert!(table.apply(key, completed(0)).actions.release);
    }
}

fn burst(table: &mut Table<u32>, length: usize) -> Vec<Key> {
    (0..length as u32).map(|payload| submit(table, payload)).collect()
}

fn table_for(length: usize) -> Table<u32> {
    Table::new(limits(length as u32 + 16, 16), CancelPolicy::default())
}

#[test]
fn a_table_shrinks_after_a_burst_and_forgets_no_generation() {
    const BURST: usize = 40_000;
    let mut table = table_for(BURST);
    let first = burst(&mut table, BURST);
    // The last one stays, and with it its place; what comes meanwhile takes the lowest places.
    let (last, others) = first.split_last().expect("there are some");
    release_all(&mut table, others);
    let low = submit(&mut table, 1);
    assert_eq!(low.slot, 0);
    assert_eq!(table.unsettled_keys().collect::<Vec<_>>(), [low, *last]);
    assert_eq!(table.slots(), BURST);
    assert!(table.apply(*last, completed(0)).actions.release);
    assert_eq!(table.slots(), KEPT_SLOTS, "the burst is over");
    assert_eq!(table.occupied.len(), KEPT_SLOTS / 64);
    // Twice what is kept: the next burst of the size of the usual does not begin with nothing.
    let capacities = (table.slots.capacity(), table.links.capacity(), table.occupied.capacity());
    assert_eq!(capacities, (2 * KEPT_SLOTS, 2 * KEPT_SLOTS, 2 * KEPT_SLOTS / 64));
    assert!(table.apply(low, completed(0)).actions.release);
    table.audit(&List::new());
    // The same again: no key of before names anybody now.
    let second: HashSet<Key> = burst(&mut table, BURST).into_iter().collect();
    assert_eq!(second.len(), BURST);
    for key in first {
        assert!(!second.contains(&key) && table.payload(key).is_none());
    }
    table.audit(&List::new());
}

#[test]
fn memory_that_is_four_times_what_is_used_is_kept() {
    let mut table = table_for(4 * KEPT_SLOTS);
    let keys = burst(&mut table, 4 * KEPT_SLOTS);
    assert_eq!(table.slots.capacity(), 4 * KEPT_SLOTS);
    // The last slot last: all go at once.
    let (last, others) = keys.split_last().expect("there are some");
    release_all(&mut table, others);
    assert!(table.apply(*last, completed(0)).actions.release);
    assert_eq!((table.slots(), table.slots.capacity()), (KEPT_SLOTS, 4 * KEPT_SLOTS));
    table.audit(&List::new());
}

#[test]
fn a_slot_that_a_cancel_names_or_whose_operation_waits_is_not_dropped() {
    for waits in [false, true] {
        let mut table = table_for(KEPT_SLOTS + 2);
        burst(&mut table, KEPT_SLOTS);
        let held = if waits { enqueue(&mut table, 1) } else { submit(&mut table, 1) };
        let last = submit(&mut table, 2);
        assert_eq!((held.slot as usize, last.slot as usize), (KEPT_SLOTS, KEPT_SLOTS + 1));
        if !waits {
            cancel(&mut table, held);
            let outcome = table.apply(held, completed(0));
            assert!(outcome.settled.is_some() && !outcome.actions.release);
        }
        assert!(table.apply(last, completed(0)).actions.release);
        assert_eq!(table.slots(), KEPT_SLOTS + 1, "whether it waits: {waits}");
        table.audit(&List::new());
        if waits {
            assert_eq!(table.next_waiting(), Some(held));
        } else {
            assert!(table.apply(held, Event::CancelAnswered(0)).actions.release);
            assert_eq!(table.slots(), KEPT_SLOTS);
        }
    }
}

//! Values: policies, limits, tags, vectors.

use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;
use uring_safe_cancel::machine::Event;
use uring_safe_cancel::operation::{Vectors, VectorsError, MAX_BYTES, MAX_VECTORS};
use uring_safe_cancel::table::{Limits, Table, TIMER_RESERVE};
use uring_safe_cancel::tag::{Kind, Tag, GENERATION_MASK, MAX_SLOT};
use uring_safe_cancel::{Arena, CancelPolicy, Verdict};

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0u64..1_000_000_000).prop_map(Duration::from_nanos),
        (any::<u64>(), 0u32..1_000_000_000).prop_map(|(s, ns)| Duration::new(s, ns)),
        Just(Duration::ZERO),
        Just(Duration::MAX),
    ]
}

proptest! {
    #![proptest_config(crate::config(300))]

    #[test]
    fn clause_2_live_delays_never_shrink_and_never_exceed_their_cap(
        first_delay in duration(),
        max_delay in duration(),
        attempt in any::<u32>(),
    ) {
        let policy = CancelPolicy { first_delay, max_delay, ..CancelPolicy::default() };
        let delay = policy.delay(attempt);
        prop_assert!(delay <= max_delay);
        prop_assert!(delay >= first_delay.min(max_delay));
        prop_assert!(policy.delay(attempt.saturating_add(1)) >= delay);
        if attempt <= 30 {
            let doubled = first_delay.saturating_mul(1 << attempt.saturating_sub(1));
            prop_assert_eq!(delay, doubled.min(max_delay));
        }
    }

    #[test]
    fn clause_6_no_mistaken_identity_a_tag_is_its_user_data(user_data in any::<u64>()) {
        let Some(tag) = Tag::from_user_data(user_data) else {
            prop_assert!(user_data & 7 > 3, "a kind of ours");
            return Ok(());
        };
        prop_assert_eq!(tag.user_data(), user_data);
        let key = tag.key();
        prop_assert!(key.slot() <= MAX_SLOT && key.generation() <= GENERATION_MASK);
        prop_assert_eq!(Tag::new(tag.kind(), key), tag);
        let kinds = [Kind::Target, Kind::Cancel, Kind::Timer, Kind::TimerUpdate];
        let tags: HashSet<Tag> = kinds.map(|kind| Tag::new(kind, key)).into();
        prop_assert_eq!(tags.len(), 4);
    }

    #[test]
    fn clause_3_memory_vectors_take_what_linux_takes_and_say_what_is_too_much(
        count in prop_oneof![0..=2 * MAX_VECTORS, MAX_VECTORS - 2..=MAX_VECTORS + 1],
        length in prop_oneof![0..10_000usize, 2_090_000..2_105_000usize],
    ) {
        let arena = Arena::new(64 << 20);
        let piece = arena.allocate(length).expect("room for one piece");
        let parts = vec![piece; count];
        match Vectors::new(&arena, parts, 0) {
            Ok(vectors) => {
                prop_assert!(count <= MAX_VECTORS && count * length <= MAX_BYTES);
                prop_assert_eq!(vectors.parts.len(), count);
            }
            Err(VectorsError::TooMany(many)) => {
                prop_assert!(many == count && count > MAX_VECTORS);
            }
            Err(VectorsError::TooLong(long)) => {
                prop_assert!(long == count * length && long > MAX_BYTES && count <= MAX_VECTORS);
            }
            Err(VectorsError::Arena(error)) => prop_assert!(false, "{}", error),
        }
        prop_assert_eq!(arena.usage().held, 0);
    }

    /// Whatever the limits, and in whatever order operations come, go and are cancelled.
    #[test]
    fn clause_7_bounded_a_table_never_exceeds_its_limits(
        completions in prop_oneof![5u32..40, Just(u32::MAX)],
        waiting in prop_oneof![0u32..10, Just(u32::MAX)],
        steps in prop::collection::vec((0u8..7, any::<prop::sample::Index>()), 1..300),
    ) {
        let limits = Limits { completions, waiting };
        let mut table: Table<u32> = Table::new(limits, CancelPolicy::default());
        let (mut keys, mut inserted, mut settled) = (Vec::new(), 0u32, HashSet::new());
        for (step, index) in steps {
            let some = (!keys.is_empty()).then(|| keys[index.index(keys.len())]);
            let outcome = match (step, some) {
                (0, _) => {
                    let had_room = table.has_room();
                    match table.insert(inserted) {
                        Ok(key) => {
                            prop_assert!(had_room);
                            table.enqueue(key);
                            keys.push(key);
                            inserted += 1;
                        }
                        Err(back) => prop_assert!(!had_room && back == inserted),
                    }
                    None
                }
                (1, _) => {
                    if let Some(key) = table.next_waiting() {
                        table.submitted(key, false);
                    }
                    None
                }
                (2, Some(key)) => Some(table.apply(key, Event::CancelAsked)),
                (3, _) => table.next_cancel().map(|key| table.apply(key, Event::CancelIssued)),
                (4, Some(key)) if table.machine(key).is_some_and(|m| m.is_cancel_outstanding()) => {
                    Some(table.apply(key, Event::CancelAnswered(-libc::EALREADY)))
                }
                (5, Some(key)) if table.machine(key).is_some_and(|m| m.is_in_flight()) => {
                    let event =
                        Event::TargetCompleted { result: 7, more: false, notification: false };
                    Some(table.apply(key, event))
                }
                (6, Some(key)) => Some(table.apply(key, Event::RetryDue)),
                _ => None,
            };
            if let Some(done) = outcome.and_then(|outcome| outcome.settled) {
                prop_assert!(settled.insert(done.payload), "clause 1: settled twice");
                let expected = if done.verdict == Verdict::Cancelled { 0 } else { 7 };
                prop_assert!(expected == 0 || done.verdict == Verdict::Completed(expected));
            }
            prop_assert_eq!(table.unsettled(), inserted - settled.len() as u32);
            prop_assert!(table.in_flight() <= limits.in_flight());
            let on_the_way = table.in_flight() + table.cancels_outstanding() + TIMER_RESERVE;
            prop_assert!(on_the_way <= completions);
        }
    }
}

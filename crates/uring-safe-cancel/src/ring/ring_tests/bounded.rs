//! Clause 7: everything has a bound.

use super::*;

#[test]
fn clause_7_bounded_a_refusal_that_passes_forgets_nobody_who_waits() {
    let (mut ring, fake) = ring();
    submit_reads(&mut ring, 0..4);
    fake.script(|s| s.enters = [Enter::Refuse(libc::EAGAIN); 2].into());
    let fifth = submit_read(&mut ring, 4);
    // The queue is full and the kernel refuses, but it takes the first four a moment later.
    run(&mut ring, &fake);
    assert_eq!(fake.submissions(fifth).len(), 1, "the fifth was submitted");
}

#[test]
fn clause_7_bounded_a_limit_on_completions_holds_up_no_submission() {
    let (mut ring, fake) = ring();
    let file = seekable();
    let keys: Vec<Key> = (0..3)
        .map(|client| submit_at_position(&mut ring, &file, Extra::default(), client))
        .collect();
    settle(&mut ring);
    for (index, &key) in keys.iter().enumerate() {
        fake.complete(key, 8);
        let (done, flushed) = flush(&mut ring, 1);
        assert_eq!(done, [(index as u32, Verdict::Completed(8))]);
        assert!(!flushed.again);
        if let Some(&next) = keys.get(index + 1) {
            assert_eq!(fake.submissions(next).len(), 1, "its turn came, and nothing else wakes us");
        }
    }
}

#[test]
fn clause_7_bounded_a_flush_ends_with_the_completion_that_reaches_its_budget() {
    for (budget, expected) in [(0, 0), (1, 1), (3, 1), (4, 2), (6, 2), (7, 3), (99, 4)] {
        let (mut ring, fake) = ring();
        let keys: Vec<Key> = (0..4).map(|client| submit_read(&mut ring, client)).collect();
        settle(&mut ring);
        keys.iter().for_each(|&key| fake.complete(key, 8));
        let flushed = ring.flush_within(budget, &mut |_| 3);
        assert_eq!(flushed.delivered, expected, "a budget of {budget}, and each costs 3");
        assert_eq!(settle(&mut ring).len(), 4 - expected, "the others come later");
    }
}

#[test]
fn clause_7_bounded_a_full_ring_of_hung_reads_is_cancelled_through_four_sqes_and_two_cqes() {
    let (mut ring, fake) = ring();
    let keys: Vec<Key> = (0..100).map(|client| submit_read(&mut ring, client)).collect();
    run(&mut ring, &fake);
    assert_eq!((ring.stats().in_flight, ring.stats().queued), (IN_FLIGHT, 100 - IN_FLIGHT));
    // Each cancel is lost once before it works.
    fake.script(|s| {
        s.cancels = (0..IN_FLIGHT).map(|_| lost(-libc::EALREADY)).collect();
        s.cancels.extend((0..IN_FLIGHT).map(|_| ends(0, -libc::ECANCELED)));
    });
    assert_eq!(ring.cancel_all(), 100);
    let mut done = run(&mut ring, &fake);
    assert_eq!(done.len() as u32, 100 - IN_FLIGHT, "who waited needed no kernel");
    for _ in 0..3 {
        fake.pass(Duration::from_millis(1));
        done.extend(run(&mut ring, &fake));
    }
    assert_eq!(done.len(), 100);
    assert!(done.iter().all(|&(_, verdict)| verdict == Verdict::Cancelled));
    assert!(keys[..IN_FLIGHT as usize].iter().all(|&key| fake.cancels(key) == 2));
}

#[test]
fn clause_7_bounded_the_queue_has_a_limit_that_parked_operations_count_for() {
    let (mut ring, fake) = ring_with(Options { queue_limit: 3, ..Options::default() });
    let file = seekable();
    submit_all_at_position(&mut ring, &file, 0..4);
    let operation = read(&ring);
    let refused = ring.submit(operation, Extra::default(), 9).unwrap_err();
    assert!(matches!(refused.refusal, Refusal::QueueFull));
    assert_eq!(refused.client, 9);
    drop(refused);
    assert_eq!(run(&mut ring, &fake), []);
    assert_eq!(ring.stats().queued, 3);
}

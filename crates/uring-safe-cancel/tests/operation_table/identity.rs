//! A late cancel never hits a later operation: not in the same slot, not in another ring.

use super::ours::{self, ring_with};
use super::sources::{eventfd, pipe};
use std::io::Write;
use std::time::Duration;
use uring_safe_cancel::operation::{Nop, CURRENT_POSITION};
use uring_safe_cancel::{Options, Verdict};

/// The slot of an operation that ended is taken by the next while cancels of the first are on their way. The second
/// waits for a byte that comes only when everything else is over: had a cancel hit it, it would have said so.
#[test]
fn late_cancels_hit_nobody_in_the_slot() {
    const ROUNDS: usize = 5_000;
    let mut ring = ring_with(Options { entries: 8, completions: 8, ..Options::default() });
    let (reader, writer) = pipe();
    let mut writer = std::fs::File::from(writer);
    let mut slots = std::collections::HashSet::new();
    for round in 0..ROUNDS {
        let first = ours::submit(&mut ring, Nop, ours::extra(round % 3 == 0), 1);
        ring.flush(0, &mut |_| ());
        ring.cancel(first);
        let mut done = Vec::new();
        if round % 2 == 0 {
            ring.flush(usize::MAX, &mut |completion| done.push(completion.client));
        }
        let read = ours::read(&ring, &reader, 1, CURRENT_POSITION);
        let second = ours::submit(&mut ring, read, ours::PLAIN, 2);
        slots.insert(second.slot());
        ring.cancel(first);
        while !done.contains(&1) {
            ring.flush_and_wait(&mut |completion| done.push(completion.client));
        }
        assert!(!ring.cancel(first), "it has settled");
        ring.flush(usize::MAX, &mut |completion| done.push(completion.client));
        assert_eq!(done, [1], "round {round}");
        writer.write_all(b"x").unwrap();
        let last = ours::drain(&mut ring);
        assert_eq!(last[0].verdict, Verdict::Completed(1), "round {round}");
        assert!(!last[0].cancel_asked);
    }
    // A nop that was in a worker may have been found.
    let late = ring.stats().answers.not_found;
    println!(
        "row: late cancel, -; kernel: -; library: {late} of {ROUNDS} late, in {} slots, none hit",
        slots.len()
    );
    assert!(late > 0, "no cancel was late: the test proves nothing");
}

/// Two rings give their operations the same tags. The same in liburing: io-cancel, cancel-another-ring.
#[test]
fn a_cancel_reaches_no_other_ring() {
    let event = eventfd(0);
    let mut rings = [ours::ring(), ours::ring()];
    let keys = rings.each_mut().map(|ring| {
        let read = ours::read(ring, &event, 8, CURRENT_POSITION);
        let key = ours::submit(ring, read, ours::ASYNCHRONOUS, 1);
        ours::flush_idle(ring);
        key
    });
    assert_eq!(keys[0], keys[1], "the same names");
    let [first, second] = &mut rings;
    second.cancel(keys[1]);
    assert_eq!(ours::drain(second)[0].verdict, Verdict::Cancelled);
    assert!(ours::next_within(first, Duration::from_millis(20)).is_none(), "the other waits on");
    first.cancel(keys[0]);
    assert_eq!(ours::drain(first)[0].verdict, Verdict::Cancelled);
}

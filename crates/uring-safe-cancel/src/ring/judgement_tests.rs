//! Nothing is judged by the clock before everything that the kernel has posted was reaped, over a scripted kernel.

use super::fake_tests::*;
use crate::descriptor::Descriptor;
use crate::kernel::decoded::Decoded;
use crate::operation::Read;
use crate::ring::{Extra, Flushed};
use crate::tag::Key;
use crate::Verdict;
use std::time::Duration;

const AGES: Duration = Duration::from_secs(3600);

fn read(ring: &FakeRing) -> Read {
    let memory = ring.arena().allocate(8).unwrap();
    Read { descriptor: Descriptor::Borrowed(0), memory, offset: 0 }
}

/// As many as fit, in the kernel's hands.
fn reads(ring: &mut FakeRing, extra: Extra) -> Vec<Key> {
    let submit_one = |client| {
        let operation = read(ring);
        submit_with(ring, operation, extra, client)
    };
    let keys = (0..IN_FLIGHT).map(submit_one).collect();
    assert_eq!(settle(ring), []);
    keys
}

/// Flushes with a limit until nothing asks for more: what came, and the flush before the last.
fn flush_all(ring: &mut FakeRing, fake: &Fake, limit: usize) -> Vec<(u32, Verdict)> {
    let mut all = Vec::new();
    loop {
        let (some, Flushed { again, .. }) = flush(ring, limit);
        all.extend(some);
        if !again && !fake.is_readable() {
            return all;
        }
    }
}

/// All were read, whatever the clock said.
fn all_read() -> Vec<(u32, Verdict)> {
    (0..IN_FLIGHT).map(|client| (client, Verdict::Completed(8))).collect()
}

#[test]
fn clause_4_nothing_lost_destroy_gives_up_nothing_that_the_kernel_has_completed() {
    for drain in [0, 1, 5, 2000] {
        for limit in [1, 3, usize::MAX] {
            for holds_back in [false, true] {
                for completed_first in [false, true] {
                    let (mut ring, fake) = ring();
                    let keys = reads(&mut ring, Extra::default());
                    fake.script(|s| s.holds_back = holds_back);
                    let complete = || keys.iter().for_each(|&key| fake.complete(key, 8));
                    if completed_first {
                        complete();
                    }
                    ring.destroy(Duration::from_millis(drain));
                    let mut done = Vec::new();
                    if !completed_first {
                        // The cancels are lost, and then the reads end.
                        done = flush(&mut ring, 0).0;
                        complete();
                    }
                    fake.pass(AGES);
                    done.extend(flush_all(&mut ring, &fake, limit));
                    done.sort_by_key(|&(client, _)| client);
                    assert_eq!(done, all_read(), "a drain of {drain} ms, {limit} at a time");
                    assert!(ring.is_drained() && !ring.is_given_up());
                    assert_eq!(ring.arena().usage().held, 0);
                }
            }
        }
    }
}

#[test]
fn clause_3_memory_the_time_to_drain_begins_when_the_kernel_knows_of_the_cancels() {
    let (mut ring, fake) = ring();
    reads(&mut ring, Extra::default());
    ring.destroy(Duration::from_secs(2));
    // The thread is busy with something else: nobody flushes.
    fake.pass(AGES);
    assert_eq!(settle(&mut ring), [], "nobody had asked the kernel yet");
    fake.script(|s| s.honest = true);
    fake.pass(Duration::from_secs(1));
    let done = run(&mut ring, &fake);
    assert_eq!(done.len(), IN_FLIGHT as usize);
    assert!(done.iter().all(|&(_, verdict)| verdict == Verdict::Cancelled));
    assert!(!ring.is_given_up());
}

#[test]
fn clause_2_live_what_was_over_is_not_reported_as_stuck() {
    for limit in [0, 1, usize::MAX] {
        for holds_back in [false, true] {
            let (mut ring, fake) = ring();
            let keys = reads(&mut ring, Extra::default());
            ring.cancel_all();
            settle(&mut ring);
            fake.script(|s| s.holds_back = holds_back);
            let (over, hung) = keys.split_at(5);
            over.iter().for_each(|&key| fake.complete(key, 8));
            fake.pass(AGES);
            let (mut done, mut reports) = (Vec::new(), Vec::new());
            for _ in 0..3 * IN_FLIGHT {
                done.extend(flush(&mut ring, limit).0);
                reports.extend(ring.take_stuck_reports());
            }
            assert_eq!(done.len(), if limit == 0 { 0 } else { over.len() });
            let mut reported: Vec<Key> = reports.iter().map(|report| report.key).collect();
            reported.sort_by_key(|key| key.slot());
            assert_eq!(reported, hung, "a limit of {limit}");
        }
    }
}

#[test]
fn clause_4_nothing_lost_what_was_over_in_time_does_not_time_out() {
    let extra = Extra { timeout: Some(Duration::from_millis(50)), ..Extra::default() };
    for limit in [0, 1, usize::MAX] {
        for holds_back in [false, true] {
            let (mut ring, fake) = ring();
            let keys = reads(&mut ring, extra);
            fake.script(|s| s.holds_back = holds_back);
            keys.iter().for_each(|&key| fake.complete(key, 8));
            fake.pass(AGES);
            flush(&mut ring, limit);
            let mut timed_out = 0;
            for _ in 0..2 * IN_FLIGHT {
                let mut sink = |done: crate::ring::Completion<u32>| {
                    timed_out += u32::from(done.timed_out || done.cancel_asked);
                };
                ring.flush(1, &mut sink);
            }
            assert_eq!((ring.pending(), timed_out), (0, 0), "a limit of {limit}");
            assert!(keys.iter().all(|&key| fake.cancels(key) == 0));
        }
    }
}

#[test]
fn clause_7_bounded_what_is_reaped_before_a_judgement_starts_nothing_beyond_the_budget() {
    let (mut ring, fake) = ring();
    let extra = Extra { timeout: Some(Duration::from_millis(50)), ..Extra::default() };
    let keys = reads(&mut ring, extra);
    for client in 0..100 {
        let operation = read(&ring);
        submit(&mut ring, operation, IN_FLIGHT + client);
    }
    settle(&mut ring);
    // Who waits would complete at once, and there is no end of them.
    fake.script(|s| s.instant = Some(8));
    keys.iter().for_each(|&key| fake.complete(key, 8));
    fake.pass(AGES);
    let (done, flushed) = flush(&mut ring, 2);
    assert_eq!((done.len(), flushed.again), (2, true));
    let taken =
        fake.script(|s| s.taken.iter().filter(|s| matches!(s.work, Decoded::Read { .. })).count());
    assert!(taken <= 2 * IN_FLIGHT as usize, "{taken} reads were started");
    assert_eq!(flush_all(&mut ring, &fake, 2).len(), IN_FLIGHT as usize + 98);
}

#[test]
fn clause_3_memory_dropping_a_ring_waits_for_as_many_wake_ups_as_it_takes() {
    // Far more than the flushes that a drop would wait for in vain.
    const READS: u32 = 1000;
    let (mut ring, fake) = ring_of(8, READS + 4, Default::default());
    let arena = ring.arena().clone();
    for client in 0..READS {
        let operation = read(&ring);
        submit(&mut ring, operation, client);
    }
    settle(&mut ring);
    // Each wake-up brings one.
    fake.script(|s| s.trickles = true);
    drop(ring);
    assert_eq!(arena.usage().held, 0);
}

#[test]
fn clause_2_live_what_enter_says_once_is_no_end_and_what_it_goes_on_saying_is() {
    for errno in [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::EBADF, libc::EINVAL] {
        let (mut ring, fake) = ring();
        fake.script(|s| s.enters = [Enter::Refuse(errno), Enter::Refuse(errno)].into());
        let keys = reads(&mut ring, Extra::default());
        assert_eq!(ring.forbidden(), None);
        fake.complete(keys[0], 8);
        assert_eq!(settle(&mut ring), [(0, Verdict::Completed(8))]);
        fake.script(|s| s.always = Some(Enter::Refuse(errno)));
        fake.complete(keys[1], 8);
        let operation = read(&ring);
        submit(&mut ring, operation, 99);
        let mut done = flush_all(&mut ring, &fake, 2);
        done.sort_by_key(|&(client, _)| client);
        assert_eq!(done.remove(0), (1, Verdict::Completed(8)), "it was there before");
        assert_eq!(done.len(), IN_FLIGHT as usize - 1);
        assert!(done.iter().all(|&(_, verdict)| verdict == Verdict::Forbidden(errno)));
        assert_eq!(ring.forbidden(), Some(errno));
        let entered = fake.script(|s| s.entered);
        assert!(ring.is_drained() && !flush(&mut ring, 1).1.again);
        assert_eq!(fake.script(|s| s.entered), entered, "the kernel is left alone");
        // Late ones find nobody.
        fake.complete(keys[2], 8);
        assert_eq!(run(&mut ring, &fake), []);
    }
}

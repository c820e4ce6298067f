//! The ring over a kernel that does what the real one can, but will not when asked.

use super::fake_tests::*;
use crate::kernel::{Submission, Work};
use crate::machine::MAX_INTERRUPTIONS;
use crate::operation::{Close, Open, Read, ReadVectored, Sleep, Vectors, CURRENT_POSITION};
use crate::{CancelPolicy, Descriptor, Extra, Key, Operation, Options, Refusal, Verdict};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// A read at an offset; the fake kernel does not look at the descriptor.
fn read(ring: &FakeRing) -> Operation {
    let memory = ring.arena().allocate(8).unwrap();
    Read { descriptor: Descriptor::Borrowed(0), memory, offset: 0 }.into()
}

fn submit_read(ring: &mut FakeRing, client: u32) -> Key {
    let operation = read(ring);
    submit(ring, operation, client)
}

/// A file with a position, and a read at that position.
fn seekable() -> File {
    File::open("/proc/self/exe").unwrap()
}

fn submit_at_position(ring: &mut FakeRing, file: &File, extra: Extra, client: u32) -> Key {
    let memory = ring.arena().allocate(8).unwrap();
    let descriptor = Descriptor::Borrowed(file.as_raw_fd());
    submit_with(ring, Read { descriptor, memory, offset: CURRENT_POSITION }, extra, client)
}

fn submit_reads(ring: &mut FakeRing, clients: std::ops::Range<u32>) {
    for client in clients {
        submit_read(ring, client);
    }
}

fn submit_all_at_position(ring: &mut FakeRing, file: &File, clients: std::ops::Range<u32>) {
    for client in clients {
        submit_at_position(ring, file, Extra::default(), client);
    }
}

/// Flushes, and again a millisecond later, as an owner does whose kernel takes nothing.
fn run_twice(ring: &mut FakeRing) -> Vec<(u32, Verdict)> {
    let mut done = settle(ring);
    done.extend(settle(ring));
    done
}

const RETRY: Duration = Duration::from_micros(200);

// Lost wake-ups: a flush may leave something to do only if a CQE will come, or if it says so.

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
fn clause_2_live_a_limit_on_completions_holds_up_no_cancel() {
    let (mut ring, fake) = ring();
    let (hung, other) = (submit_read(&mut ring, 0), submit_read(&mut ring, 1));
    ring.cancel(hung);
    settle(&mut ring);
    assert_eq!(fake.cancels(hung), 1);
    fake.pass(RETRY);
    fake.complete(other, 8);
    let (done, flushed) = flush(&mut ring, 1);
    assert_eq!(done, [(1, Verdict::Completed(8))]);
    assert!(fake.cancels(hung) == 2 || fake.is_readable() || flushed.again);
}

#[test]
fn clause_2_live_a_limit_on_completions_holds_up_no_deadline() {
    for limit in [0, 1] {
        let (mut ring, fake) = ring();
        let extra = Extra { timeout: Some(Duration::from_secs(1)), ..Extra::default() };
        let operation = read(&ring);
        let timed = submit_with(&mut ring, operation, extra, 0);
        let others = [submit_read(&mut ring, 1), submit_read(&mut ring, 2)];
        settle(&mut ring);
        others.iter().for_each(|&key| fake.complete(key, 8));
        fake.pass(Duration::from_secs(2));
        // The timer's CQE stands behind both.
        let (done, _) = flush(&mut ring, limit);
        assert_eq!(done.len(), limit);
        assert_eq!(fake.cancels(timed), 1, "with a limit of {limit}");
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
fn clause_1_once_who_may_deliver_nothing_now_is_told_to_come_back() {
    let (mut ring, fake) = ring();
    submit_reads(&mut ring, 0..IN_FLIGHT);
    let waits = submit_read(&mut ring, 99);
    settle(&mut ring);
    ring.cancel(waits);
    let (done, flushed) = flush(&mut ring, 0);
    assert!(done.is_empty() && flushed.again && !fake.is_readable());
    assert_eq!(settle(&mut ring), [(99, Verdict::Cancelled)]);
}

// Clause 1: once.

#[test]
fn clause_1_once_nothing_settles_before_its_final_cqe_whatever_the_cancel_answered() {
    for answer in [0, 1, -libc::ENOENT, -libc::EALREADY, -libc::EINVAL, -libc::ETIME] {
        let (mut ring, fake) = ring();
        let key = submit_read(&mut ring, 7);
        settle(&mut ring);
        fake.script(|s| s.cancels = [lost(answer)].into());
        assert!(ring.cancel(key));
        assert_eq!(settle(&mut ring), [], "the answer {answer} is advice");
        assert!(ring.client(key).is_some() && ring.arena().usage().held > 0);
        fake.complete(key, -libc::ECANCELED);
        assert_eq!(settle(&mut ring), [(7, Verdict::Cancelled)]);
        assert_eq!((ring.pending(), ring.arena().usage().held), (0, 0));
    }
}

#[test]
fn clause_1_once_the_order_of_target_and_answer_does_not_matter() {
    for target_first in [false, true] {
        let (mut ring, fake) = ring();
        let key = submit_read(&mut ring, 7);
        settle(&mut ring);
        let script = Script { target_first, ..ends(0, -libc::ECANCELED) };
        fake.script(|s| s.cancels = [script].into());
        ring.cancel(key);
        assert_eq!(settle(&mut ring), [(7, Verdict::Cancelled)]);
        assert!(!ring.cancel(key), "it has settled");
        assert_eq!(fake.timer(), None, "and left no deadline");
        assert_eq!(run(&mut ring, &fake), []);
    }
}

#[test]
fn clause_1_once_a_cqe_that_others_follow_is_not_final() {
    let (mut ring, fake) = ring();
    let key = submit_read(&mut ring, 7);
    settle(&mut ring);
    fake.post(key, 3, true, false);
    fake.post(key, 4, true, false);
    assert_eq!(settle(&mut ring), []);
    fake.post(key, 0, false, true);
    assert_eq!(settle(&mut ring), [(7, Verdict::Completed(7))]);
}

// Clause 2: live.

#[test]
fn clause_2_live_a_lost_cancel_is_issued_again_whatever_it_answered() {
    for answer in [0, 1, -libc::ENOENT, -libc::EALREADY, -libc::EINVAL, -libc::ETIME, -libc::EIO] {
        let (mut ring, fake) = ring();
        let key = submit_read(&mut ring, 7);
        settle(&mut ring);
        fake.script(|s| {
            s.cancels = [lost(answer); 5].into();
            s.cancels.push_back(ends(0, -libc::ECANCELED));
        });
        ring.cancel(key);
        let mut done = Vec::new();
        let policy = CancelPolicy::default();
        for attempt in 1..=5 {
            done.extend(run(&mut ring, &fake));
            assert_eq!((done.len(), fake.cancels(key)), (0, attempt as usize));
            let delay = policy.delay(attempt);
            assert_eq!(fake.timer(), Some(fake.now() + delay.as_nanos() as u64));
            fake.pass(delay);
        }
        assert_eq!(run(&mut ring, &fake), [(7, Verdict::Cancelled)]);
        let stats = ring.stats();
        assert_eq!((stats.cancel_attempts, stats.reissues, stats.rescued), (6, 5, 1));
        assert_eq!(stats.max_attempts, 6);
    }
}

#[test]
fn clause_2_live_the_delays_grow_to_the_cap_and_it_never_gives_up() {
    let (mut ring, fake) = ring();
    let key = submit_read(&mut ring, 7);
    settle(&mut ring);
    ring.cancel(key);
    run(&mut ring, &fake);
    for _ in 0..1000 {
        fake.pass(Duration::from_millis(100));
        run(&mut ring, &fake);
    }
    assert_eq!(fake.cancels(key), 1001);
    assert_eq!(ring.client(key), Some(&7));
    assert_eq!(ring.take_stuck_reports().len(), 1);
}

#[test]
fn clause_2_live_one_cancel_at_a_time_and_an_overdue_one_is_followed_at_once() {
    let (mut ring, fake) = ring();
    let key = submit_read(&mut ring, 7);
    settle(&mut ring);
    fake.script(|s| s.cancels = [Script::default()].into());
    ring.cancel(key);
    for _ in 0..10 {
        run(&mut ring, &fake);
        fake.pass(Duration::from_millis(100));
    }
    assert_eq!(fake.cancels(key), 1, "its answer is due");
    fake.script(|s| s.answer_cancels(-libc::EALREADY));
    run(&mut ring, &fake);
    assert_eq!(fake.cancels(key), 2);
}

#[test]
fn clause_2_live_asking_again_changes_nothing() {
    let (mut ring, fake) = ring();
    let key = submit_read(&mut ring, 7);
    settle(&mut ring);
    for _ in 0..10 {
        assert!(ring.cancel(key));
        assert_eq!(ring.cancel_all(), 1);
        run(&mut ring, &fake);
    }
    assert_eq!((fake.cancels(key), ring.stats().cancels_requested), (1, 1));
}

#[test]
fn clause_2_live_destroy_cancels_everything_and_is_done_when_that_is() {
    let (mut ring, fake) = ring();
    let file = seekable();
    submit_all_at_position(&mut ring, &file, 0..5);
    submit_reads(&mut ring, 5..30);
    settle(&mut ring);
    fake.script(|s| s.honest = true);
    ring.destroy(Duration::from_secs(2));
    ring.destroy(Duration::from_secs(9));
    assert!(!ring.is_drained());
    let done = run(&mut ring, &fake);
    assert_eq!(done.len(), 30);
    assert!(done.iter().all(|&(_, verdict)| verdict == Verdict::Cancelled));
    assert!(ring.is_drained() && !ring.is_given_up());
    assert_eq!(ring.arena().usage().held, 0);
}

#[test]
fn clause_2_live_the_naive_policy_loses_what_the_kernel_loses() {
    let cancel = CancelPolicy { reissue: false, ..CancelPolicy::default() };
    let (mut ring, fake) = ring_with(Options { cancel, ..Options::default() });
    let key = submit_read(&mut ring, 7);
    settle(&mut ring);
    ring.cancel(key);
    for _ in 0..100 {
        assert_eq!(run(&mut ring, &fake), []);
        fake.pass(Duration::from_secs(1));
    }
    assert_eq!(fake.cancels(key), 1);
    assert_eq!(ring.take_stuck_reports().len(), 1, "but it is reported");
    fake.script(|s| s.cancels = [ends(0, -libc::ECANCELED)].into());
    assert!(ring.cancel(key), "each call issues one cancel");
    assert_eq!(run(&mut ring, &fake), [(7, Verdict::Cancelled)]);
}

#[test]
fn clause_2_live_a_stuck_operation_is_reported_once_and_stays_tracked() {
    let (mut ring, fake) = ring();
    let memory = ring.arena().allocate(8).unwrap();
    let number = 12345;
    let descriptor = Descriptor::Borrowed(number);
    let key = submit(&mut ring, Read { descriptor, memory, offset: 0 }, 7);
    settle(&mut ring);
    ring.cancel(key);
    let mut reports = Vec::new();
    for _ in 0..100 {
        run(&mut ring, &fake);
        reports.extend(ring.take_stuck_reports());
        fake.pass(Duration::from_millis(100));
    }
    assert_eq!(reports.len(), 1);
    let report = &reports[0];
    assert_eq!((report.key, report.operation, report.descriptor), (key, "read", Some(number)));
    assert!(report.attempts > 10);
    assert_eq!(report.last_answer, Some(-libc::EALREADY));
    assert_eq!(report.after, Duration::from_secs(5));
    assert_eq!((ring.stats().stuck, ring.pending()), (1, 1));
    fake.complete(key, 8);
    assert_eq!(run(&mut ring, &fake), [(7, Verdict::Completed(8))]);
}

#[test]
fn clause_2_live_timeouts_reach_who_runs_who_waits_and_who_is_parked() {
    let (mut ring, fake) = ring();
    let file = seekable();
    let after = |seconds| Extra { timeout: Some(Duration::from_secs(seconds)), ..Extra::default() };
    submit_at_position(&mut ring, &file, Extra::default(), 0);
    let parked = submit_at_position(&mut ring, &file, after(3), 1);
    let operation = read(&ring);
    let runs = submit_with(&mut ring, operation, after(2), 2);
    submit_reads(&mut ring, 3..IN_FLIGHT + 1);
    let operation = read(&ring);
    let waits = submit_with(&mut ring, operation, after(1), 99);
    assert_eq!(run(&mut ring, &fake), []);
    assert_eq!(fake.submissions(waits).len() + fake.submissions(parked).len(), 0);
    fake.pass(Duration::from_secs(1));
    assert_eq!(run(&mut ring, &fake), [(99, Verdict::Cancelled)]);
    fake.script(|s| s.cancels = [ends(0, -libc::ECANCELED)].into());
    fake.pass(Duration::from_secs(1));
    let done = {
        let mut done = Vec::new();
        ring.flush(usize::MAX, &mut |completion| done.push(completion));
        done
    };
    assert_eq!(done.len(), 1);
    assert_eq!((done[0].key, done[0].verdict), (runs, Verdict::Cancelled));
    assert!(done[0].timed_out && done[0].cancel_asked);
    fake.pass(Duration::from_secs(1));
    assert_eq!(run(&mut ring, &fake), [(1, Verdict::Cancelled)]);
    assert_eq!(ring.stats().cancel_attempts, 1, "only who ran needed the kernel");
}

#[test]
fn clause_2_live_an_earlier_deadline_moves_the_timer_on_every_kernel() {
    // 0: it works. -EINVAL: no update before 5.11. -ENOENT, -EALREADY: it fires just now. Anything
    // else: the kernel is short of something.
    for answer in [0, -libc::EINVAL, -libc::ENOMEM] {
        let (mut ring, fake) = ring();
        let late = Extra { timeout: Some(Duration::from_secs(60)), ..Extra::default() };
        let soon = Extra { timeout: Some(Duration::from_secs(1)), ..Extra::default() };
        let operation = read(&ring);
        submit_with(&mut ring, operation, late, 0);
        run(&mut ring, &fake);
        assert_eq!(fake.timer(), Some(fake.now() + 60_000_000_000));
        let operation = read(&ring);
        submit_with(&mut ring, operation, soon, 1);
        // No kernel has it now and not then.
        fake.script(|s| s.updates = std::iter::repeat_n(answer, 200_000).collect());
        run(&mut ring, &fake);
        assert_eq!(fake.timer(), Some(fake.now() + 1_000_000_000), "answer {answer}");
        fake.script(|s| s.cancels = [ends(0, -libc::ECANCELED)].into());
        fake.pass(Duration::from_secs(1));
        assert_eq!(run(&mut ring, &fake), [(1, Verdict::Cancelled)]);
    }
}

#[test]
fn clause_2_live_a_timer_that_fires_while_it_is_changed_is_armed_anew() {
    let (mut ring, fake) = ring();
    let after = |milliseconds| Extra {
        timeout: Some(Duration::from_millis(milliseconds)),
        ..Extra::default()
    };
    let operation = read(&ring);
    submit_with(&mut ring, operation, after(100), 0);
    run(&mut ring, &fake);
    // It fires before the change reaches the kernel: the change finds nothing.
    let operation = read(&ring);
    submit_with(&mut ring, operation, after(50), 1);
    fake.pass(Duration::from_millis(100));
    fake.script(|s| s.enters = [Enter::Take(1), Enter::Refuse(libc::EAGAIN)].into());
    run(&mut ring, &fake);
    fake.script(|s| s.cancels = [ends(0, -libc::ECANCELED); 2].into());
    fake.pass(Duration::from_millis(100));
    let mut done = run(&mut ring, &fake);
    for _ in 0..10 {
        fake.pass(Duration::from_millis(100));
        done.extend(run(&mut ring, &fake));
    }
    done.sort_by_key(|&(client, _)| client);
    assert_eq!(done, [(0, Verdict::Cancelled), (1, Verdict::Cancelled)]);
}

#[test]
fn clause_7_bounded_the_timer_never_takes_more_than_its_reserve() {
    let (mut ring, fake) = ring();
    fake.script(|s| {
        s.withhold_updates = true;
        s.cancels = [ends(0, -libc::ECANCELED); 8].into();
    });
    for round in 0..4 {
        for seconds in [10, 5] {
            let timeout = Some(Duration::from_secs(seconds));
            let sleep = Sleep::new(ring.arena(), Duration::from_secs(99)).unwrap();
            submit_with(&mut ring, sleep, Extra { timeout, ..Extra::default() }, round);
            // The fake kernel asserts the reserve.
            run(&mut ring, &fake);
        }
        fake.pass(Duration::from_secs(20));
        run(&mut ring, &fake);
        if round == 2 {
            fake.answer_updates(-libc::ENOENT);
        }
    }
}

#[test]
fn clause_2_live_a_kernel_that_takes_nothing_is_tried_again_until_it_does() {
    for errno in [libc::EAGAIN, libc::EBUSY, libc::ENOMEM] {
        let (mut ring, fake) = ring();
        let keys: Vec<Key> = (0..8).map(|client| submit_read(&mut ring, client)).collect();
        settle(&mut ring);
        keys.iter().for_each(|&key| assert!(ring.cancel(key)));
        fake.script(|s| s.always = Some(Enter::Refuse(errno)));
        for _ in 0..20 {
            let (done, flushed) = flush(&mut ring, usize::MAX);
            assert!(done.is_empty() && flushed.again, "or nobody would come back");
            fake.pass(Duration::from_millis(1));
        }
        assert!(ring.stats().refusals > 0);
        fake.script(|s| {
            s.always = None;
            s.cancels = [ends(0, -libc::ECANCELED); 8].into();
        });
        assert_eq!(run(&mut ring, &fake).len(), 8);
    }
}

#[test]
fn clause_2_live_signals_and_short_batches_hold_up_nothing() {
    let (mut ring, fake) = ring_of(64, 128, Options::default());
    for client in 0..50 {
        submit_read(&mut ring, client);
    }
    fake.script(|s| {
        s.enters = [Enter::Refuse(libc::EINTR); 5].into();
        s.always = Some(Enter::Take(1));
    });
    let (done, flushed) = flush(&mut ring, usize::MAX);
    assert!(done.is_empty() && !flushed.again);
    assert_eq!(fake.held().len(), 50);
    assert_eq!(ring.stats().refusals, 0);
}

// Clause 3: memory.

#[test]
fn clause_3_memory_is_leaked_and_never_reused_when_the_drain_gives_up() {
    let (mut ring, fake) = ring();
    let hung = submit_read(&mut ring, 0);
    let address = {
        settle(&mut ring);
        let work = fake.script(|s| s.taken[0].work);
        let Work::Read { address, .. } = work else { panic!("{work:?}") };
        address
    };
    ring.destroy(Duration::from_secs(2));
    let refused = ring.submit(Sleep::new(ring.arena(), RETRY).unwrap().into(), Extra::default(), 1);
    assert!(matches!(refused.unwrap_err().refusal, Refusal::Closed));
    // The cancels are handed over: from now on it counts.
    let mut done = completions(&mut ring);
    for _ in 0..19 {
        fake.pass(Duration::from_millis(100));
        ring.flush(usize::MAX, &mut |completion| done.push(completion));
        assert!(done.is_empty() && !ring.is_drained());
    }
    fake.pass(Duration::from_millis(100));
    ring.flush(usize::MAX, &mut |completion| done.push(completion));
    assert_eq!((done[0].client, done[0].verdict), (0, Verdict::Stuck));
    assert!(done[0].operation.is_none() && done[0].opened.is_none());
    assert!(ring.is_drained() && ring.is_given_up());
    drop(done);
    let arena = ring.arena().clone();
    assert_eq!(arena.usage().held, 4096, "the kernel may still write there");
    // The final CQE comes after all: too late to settle again, or to free anything.
    fake.complete(hung, 8);
    assert_eq!(run(&mut ring, &fake), []);
    assert_eq!(ring.stats().completed, 1);
    drop(ring);
    let others: Vec<_> = (0..1000).map(|_| arena.allocate(8).unwrap()).collect();
    assert!(others.iter().all(|other| other.address() != address));
}

#[test]
fn clause_3_memory_a_drain_ends_in_time_also_when_the_kernel_takes_nothing() {
    let (mut ring, fake) = ring();
    submit_reads(&mut ring, 0..6);
    fake.script(|s| s.always = Some(Enter::Refuse(libc::EAGAIN)));
    ring.destroy(Duration::from_millis(50));
    let mut done = Vec::new();
    for _ in 0..50 {
        let (some, flushed) = flush(&mut ring, usize::MAX);
        done.extend(some);
        assert!(flushed.again);
        fake.pass(Duration::from_millis(1));
    }
    done.extend(run_twice(&mut ring));
    assert!(ring.is_drained() && ring.is_given_up());
    done.sort_by_key(|&(client, _)| client);
    let stuck = done.iter().filter(|(_, verdict)| *verdict == Verdict::Stuck).count();
    let cancelled = done.iter().filter(|(_, verdict)| *verdict == Verdict::Cancelled).count();
    assert_eq!((done.len(), stuck + cancelled), (6, 6));
    assert_eq!(ring.arena().usage().held, stuck * 4096);
}

#[test]
fn clause_3_memory_what_is_given_up_at_once_is_leaked_and_the_rest_is_freed() {
    let (mut ring, fake) = ring();
    let file = seekable();
    submit_all_at_position(&mut ring, &file, 0..5);
    submit_reads(&mut ring, 5..30);
    settle(&mut ring);
    ring.abandon();
    let done = settle(&mut ring);
    let stuck = done.iter().filter(|&&(_, verdict)| verdict == Verdict::Stuck).count();
    assert_eq!((done.len(), stuck), (30, IN_FLIGHT as usize));
    assert_eq!(ring.arena().usage().held, stuck * 4096);
    fake.pass(Duration::from_secs(9));
    assert_eq!(run(&mut ring, &fake), []);
}

#[test]
fn clause_3_memory_is_leaked_when_a_ring_is_dropped_in_flight() {
    let (mut ring, fake) = ring();
    let file = seekable();
    // One in flight, eight parked behind it; others in flight, and some that wait.
    submit_all_at_position(&mut ring, &file, 0..9);
    submit_reads(&mut ring, 0..20);
    settle(&mut ring);
    let in_the_kernel = fake.held().len();
    assert_eq!(in_the_kernel as u32, IN_FLIGHT);
    let arena = ring.arena().clone();
    drop(ring);
    assert_eq!(arena.usage().held, in_the_kernel * 4096);
}

#[test]
fn clause_3_memory_is_freed_when_a_dropped_ring_could_cancel_all() {
    let (mut ring, fake) = ring();
    let file = seekable();
    submit_all_at_position(&mut ring, &file, 0..9);
    submit_reads(&mut ring, 0..20);
    settle(&mut ring);
    fake.script(|s| s.cancels = [ends(0, -libc::ECANCELED); 12].into());
    let arena = ring.arena().clone();
    drop(ring);
    assert_eq!(arena.usage().held, 0);
}

// Clause 4: nothing lost.

#[test]
fn clause_4_nothing_lost_a_result_that_beat_the_cancel_wins() {
    for (result, verdict) in [
        (8, Verdict::Completed(8)),
        (3, Verdict::Completed(3)),
        (0, Verdict::Completed(0)),
        (-libc::EIO, Verdict::Failed(libc::EIO)),
        // It was to wait, and transferred nothing.
        (-libc::EAGAIN, Verdict::Cancelled),
        (-libc::ECANCELED, Verdict::Cancelled),
        (-libc::EINTR, Verdict::Cancelled),
        (-512, Verdict::Cancelled),
        (-513, Verdict::Cancelled),
        (-514, Verdict::Cancelled),
        (-516, Verdict::Cancelled),
    ] {
        for answer in [0, 1, -libc::ENOENT, -libc::EALREADY] {
            let (mut ring, fake) = ring();
            let key = submit_read(&mut ring, 7);
            settle(&mut ring);
            fake.script(|s| s.cancels = [ends(answer, result)].into());
            ring.cancel(key);
            assert_eq!(settle(&mut ring), [(7, verdict)], "{result} after {answer}");
            assert_eq!(fake.submissions(key), [false], "nothing is tried again after a cancel");
        }
    }
}

#[test]
fn clause_4_nothing_lost_what_was_interrupted_without_a_cancel_is_submitted_again() {
    for result in [-libc::EINTR, -512, -513, -514, -516] {
        let (mut ring, fake) = ring();
        let key = submit_read(&mut ring, 7);
        settle(&mut ring);
        fake.complete(key, result);
        assert_eq!(settle(&mut ring), []);
        assert_eq!(fake.submissions(key), [false, false]);
        fake.complete(key, 8);
        assert_eq!(settle(&mut ring), [(7, Verdict::Completed(8))]);
    }
}

#[test]
fn clause_4_nothing_lost_endless_interruptions_end_as_the_error_that_they_are() {
    let (mut ring, fake) = ring();
    let key = submit_read(&mut ring, 7);
    settle(&mut ring);
    for _ in 0..MAX_INTERRUPTIONS {
        fake.complete(key, -libc::EINTR);
        assert_eq!(settle(&mut ring), []);
    }
    fake.complete(key, -512);
    assert_eq!(settle(&mut ring), [(7, Verdict::Failed(libc::EINTR))]);
}

#[test]
fn clause_4_nothing_lost_an_interrupted_one_that_waits_again_can_be_cancelled_and_times_out() {
    for times_out in [false, true] {
        let (mut ring, fake) = ring();
        let timeout = times_out.then_some(Duration::from_secs(1));
        let operation = read(&ring);
        let key = submit_with(&mut ring, operation, Extra { timeout, ..Extra::default() }, 7);
        settle(&mut ring);
        fake.complete(key, -libc::EINTR);
        // It goes back into the queue, where the kernel takes nothing for now.
        fake.script(|s| s.always = Some(Enter::Refuse(libc::EAGAIN)));
        submit_reads(&mut ring, 10..14);
        assert_eq!(settle(&mut ring), []);
        assert_eq!(fake.submissions(key), [false]);
        if times_out {
            fake.pass(Duration::from_secs(1));
        } else {
            assert!(ring.cancel(key));
        }
        assert!(run_twice(&mut ring).contains(&(7, Verdict::Cancelled)));
        assert_eq!(fake.cancels(key), 0, "it needed no kernel");
    }
}

#[test]
fn clause_4_nothing_lost_async_that_is_refused_is_submitted_plain() {
    for errno in [libc::EAGAIN, libc::ECANCELED] {
        let (mut ring, fake) = ring();
        let file = seekable();
        let extra = Extra { asynchronous: true, timeout: None };
        let key = submit_at_position(&mut ring, &file, extra, 7);
        settle(&mut ring);
        fake.complete(key, -errno);
        assert_eq!(settle(&mut ring), []);
        assert_eq!(fake.submissions(key), [true, false]);
        fake.complete(key, -errno);
        assert_eq!(settle(&mut ring), [(7, Verdict::Failed(errno))], "plain, that is an answer");
    }
}

#[test]
fn clause_2_live_what_a_worker_would_spin_on_is_submitted_plain_and_an_open_is_not() {
    let (mut ring, fake) = ring();
    fake.script(|s| s.spares_workers = true);
    let file = seekable();
    let extra = Extra { asynchronous: true, timeout: None };
    let read = submit_at_position(&mut ring, &file, extra, 7);
    let open = Open::new(ring.arena(), c"a FIFO", libc::O_RDONLY, 0).unwrap();
    let open = submit_with(&mut ring, open, extra, 8);
    settle(&mut ring);
    assert_eq!((fake.submissions(read), fake.submissions(open)), (vec![false], vec![true]));
    // The number may be closed, and be another file's, before the flush: `async` promises that this does no harm.
    let numbers = fake.script(|s| s.taken.iter().filter_map(descriptor_of).collect::<Vec<_>>());
    assert!(numbers.len() == 1 && numbers[0] != file.as_raw_fd(), "{numbers:?}");
}

fn descriptor_of(submission: &Submission) -> Option<i32> {
    match submission.work {
        Work::Read { descriptor, .. } => Some(descriptor),
        _ => None,
    }
}

#[test]
fn clause_4_nothing_lost_an_open_that_may_wait_is_never_submitted_plain() {
    for asynchronous in [false, true] {
        for (errno, submissions) in [(libc::EAGAIN, 1), (libc::ECANCELED, 1), (libc::EINTR, 2)] {
            let (mut ring, fake) = ring();
            let open = Open::new(ring.arena(), c"a FIFO", libc::O_RDONLY, 0).unwrap();
            let extra = Extra { asynchronous, timeout: None };
            let key = submit_with(&mut ring, open, extra, 7);
            settle(&mut ring);
            fake.complete(key, -errno);
            let done = settle(&mut ring);
            assert_eq!(fake.submissions(key), vec![true; submissions]);
            if submissions == 1 {
                assert_eq!(done, [(7, Verdict::Failed(errno))]);
            }
        }
    }
}

#[test]
fn clause_4_nothing_lost_async_is_kept_or_not_by_the_result_and_not_by_the_notification_after_it() {
    for (result, submissions) in [(-libc::EINTR, [true, true]), (-libc::EAGAIN, [true, false])] {
        let (mut ring, fake) = ring();
        let file = seekable();
        let extra = Extra { asynchronous: true, timeout: None };
        let key = submit_at_position(&mut ring, &file, extra, 7);
        settle(&mut ring);
        fake.post(key, result, true, false);
        fake.post(key, 0, false, true);
        assert_eq!(settle(&mut ring), []);
        assert_eq!(fake.submissions(key), submissions);
        fake.complete(key, 1);
        assert_eq!(settle(&mut ring), [(7, Verdict::Completed(1))]);
    }
}

#[test]
fn clause_4_nothing_lost_async_refused_with_eagain_after_a_cancel_is_cancelled() {
    let (mut ring, fake) = ring();
    let file = seekable();
    let extra = Extra { asynchronous: true, timeout: None };
    let key = submit_at_position(&mut ring, &file, extra, 7);
    settle(&mut ring);
    ring.cancel(key);
    fake.script(|s| s.cancels = [ends(-libc::EALREADY, -libc::EAGAIN)].into());
    assert_eq!(settle(&mut ring), [(7, Verdict::Cancelled)]);
    assert_eq!(fake.submissions(key), [true]);
}

// Clause 5: no leaks.

#[test]
fn clause_5_no_leaks_an_opened_descriptor_comes_with_the_completion_or_is_closed() {
    for delivered in [true, false] {
        let (mut ring, fake) = ring();
        let open = Open::new(ring.arena(), c"/dev/null", libc::O_RDONLY, 0).unwrap();
        let key = submit(&mut ring, open, 7);
        settle(&mut ring);
        // Far up, where the other tests of this process open nothing.
        let file = File::open("/dev/null").unwrap();
        // SAFETY: the call takes three integers.
        let number = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 700) };
        assert!(number >= 700);
        fake.script(|s| s.cancels = [ends(-libc::EALREADY, number)].into());
        ring.cancel(key);
        if delivered {
            let done = completions(&mut ring);
            assert_eq!(done[0].verdict, Verdict::Completed(number));
            assert_eq!(done[0].opened.as_ref().map(AsRawFd::as_raw_fd), Some(number));
        } else {
            drop(ring);
        }
        // SAFETY: the call takes two integers.
        assert_eq!(unsafe { libc::fcntl(number, libc::F_GETFD) }, -1, "closed");
    }
}

#[test]
fn clause_5_no_leaks_duplicates_live_no_longer_than_their_operations() {
    let (mut ring, fake) = ring();
    let (reader, writer) = std::io::pipe().unwrap();
    let extra = Extra { asynchronous: true, timeout: None };
    let memory = ring.arena().allocate(8).unwrap();
    let descriptor = Descriptor::Borrowed(writer.as_raw_fd());
    let key =
        submit_with(&mut ring, Read { descriptor, memory, offset: CURRENT_POSITION }, extra, 0);
    settle(&mut ring);
    fake.complete(key, -libc::EBADF);
    settle(&mut ring);
    drop(writer);
    let mut poll = libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one pollfd of this frame.
    assert_eq!(unsafe { libc::poll(&mut poll, 1, 0) }, 1, "no writer is left");
}

#[test]
fn clause_5_no_leaks_nor_does_the_ring_keep_one_after_a_flush() {
    let (mut ring, fake) = ring();
    let (reader, writer) = std::io::pipe().unwrap();
    let memory = ring.arena().allocate(8).unwrap();
    let descriptor = Descriptor::Borrowed(writer.as_raw_fd());
    let key = submit(&mut ring, Read { descriptor, memory, offset: CURRENT_POSITION }, 0);
    settle(&mut ring);
    fake.complete(key, -libc::EINTR);
    submit_reads(&mut ring, 1..5);
    fake.script(|s| s.always = Some(Enter::Refuse(libc::EAGAIN)));
    settle(&mut ring);
    // It waits at the head of the queue without a duplicate. The next flush finds no room for it, makes
    // one, gets room after all, and ends with nothing left.
    fake.script(|s| {
        s.always = None;
        s.enters = [Enter::Refuse(libc::EAGAIN)].into();
        s.instant = Some(8);
    });
    assert_eq!((settle(&mut ring).len(), ring.pending()), (5, 0));
    drop(writer);
    let mut poll = libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one pollfd of this frame.
    assert_eq!(unsafe { libc::poll(&mut poll, 1, 0) }, 1, "no writer is left");
}

// A close always closes, and closes once.

#[test]
fn clause_6_no_mistaken_identity_an_interrupted_close_is_not_repeated() {
    for result in [-libc::EINTR, -512, -516, -libc::EAGAIN] {
        let (mut ring, fake) = ring();
        let extra = Extra { asynchronous: true, timeout: None };
        let key = submit_with(&mut ring, Close::new(12345), extra, 7);
        settle(&mut ring);
        // Linux has released the number before it says so: a repetition would close a stranger's.
        fake.complete(key, result);
        let done = settle(&mut ring);
        assert_eq!(fake.submissions(key).len(), 1);
        let verdict = match result {
            errno if errno == -libc::EAGAIN => Verdict::Failed(libc::EAGAIN),
            _ => Verdict::Completed(0),
        };
        assert_eq!(done, [(7, verdict)]);
    }
}

/// A descriptor whose number no other test gets meanwhile.
fn far_descriptor(least: i32) -> i32 {
    let file = File::open("/dev/null").unwrap();
    // SAFETY: the call takes integers; the new descriptor is the caller's.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) }
}

fn is_open(number: i32) -> bool {
    // SAFETY: the call takes two integers.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

#[test]
fn a_close_reaches_the_kernel_after_the_cancels_that_were_asked_for_before_it() {
    let (mut ring, fake) = ring();
    submit_reads(&mut ring, 0..3);
    settle(&mut ring);
    ring.cancel_all();
    submit(&mut ring, Close::new(12345), 3);
    settle(&mut ring);
    let works = fake.script(|s| s.taken.iter().map(|taken| taken.work).collect::<Vec<_>>());
    let close = works.iter().position(|work| matches!(work, Work::Close { .. })).unwrap();
    let cancels = works[..close].iter().filter(|work| matches!(work, Work::Cancel { .. })).count();
    assert_eq!(cancels, 3);
}

#[test]
fn a_close_on_a_full_ring_is_done_at_once() {
    let (mut ring, fake) = ring();
    let far = far_descriptor(800);
    submit_reads(&mut ring, 0..IN_FLIGHT);
    let key = submit(&mut ring, Close::new(far), 99);
    assert!(!ring.cancel(key) && !is_open(far));
    assert_eq!(settle(&mut ring), [(99, Verdict::Completed(0))]);
    assert_eq!(fake.submissions(key).len(), 0);
    let nobodys = submit(&mut ring, Close::new(far), 100);
    assert_ne!(nobodys, key);
    assert_eq!(settle(&mut ring), [(100, Verdict::Failed(libc::EBADF))]);
}

#[test]
fn a_close_is_never_cancelled_and_done_by_hand_if_the_kernel_never_saw_it() {
    let (mut ring, _fake) = ring();
    let far = far_descriptor(900);
    submit_reads(&mut ring, 0..IN_FLIGHT - 1);
    let key = submit(&mut ring, Close::new(far), 99);
    assert!(!ring.cancel(key));
    assert_eq!(ring.cancel_all() as u32, IN_FLIGHT - 1);
    assert!(is_open(far));
    ring.abandon();
    assert!(!is_open(far));
    let mut done = Vec::new();
    ring.flush(usize::MAX, &mut |completion| done.push((completion.client, completion.verdict)));
    assert_eq!(done.len() as u32, IN_FLIGHT);
    assert!(done.contains(&(99, Verdict::Completed(0))));
}

// Clause 6: no mistaken identity.

#[test]
fn clause_6_no_mistaken_identity_a_slot_is_not_reused_while_a_cancel_names_it() {
    let (mut ring, fake) = ring();
    let first = submit_read(&mut ring, 0);
    settle(&mut ring);
    fake.script(|s| s.cancels = [Script::default()].into());
    ring.cancel(first);
    settle(&mut ring);
    fake.complete(first, 8);
    assert_eq!(settle(&mut ring), [(0, Verdict::Completed(8))]);
    let second = submit_read(&mut ring, 1);
    settle(&mut ring);
    assert_ne!(second.slot(), first.slot(), "a cancel of the first is on the way");
    assert!(!ring.cancel(first));
    fake.script(|s| s.answer_cancels(-libc::ENOENT));
    settle(&mut ring);
    let third = submit_read(&mut ring, 2);
    assert_eq!(third.slot(), first.slot());
    assert_ne!(third.generation(), first.generation());
    assert!(!ring.cancel(first), "a stale key reaches nobody");
    assert_eq!(fake.cancels(first), 1);
    assert_eq!(ring.client(first), None);
    assert_eq!(ring.client(third), Some(&2));
}

#[test]
fn clause_6_no_mistaken_identity_a_timeout_ends_with_its_operation() {
    let (mut ring, fake) = ring();
    let extra = Extra { timeout: Some(Duration::from_secs(1)), ..Extra::default() };
    let operation = read(&ring);
    let first = submit_with(&mut ring, operation, extra, 0);
    settle(&mut ring);
    fake.complete(first, 8);
    settle(&mut ring);
    let second = submit_read(&mut ring, 1);
    assert_eq!(second.slot(), first.slot());
    settle(&mut ring);
    fake.pass(Duration::from_secs(2));
    assert_eq!(run(&mut ring, &fake), []);
    assert_eq!((fake.cancels(second), ring.stats().cancels_requested), (0, 0));
}

// Clause 7: bounded.

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

#[test]
fn clause_7_bounded_no_timer_is_armed_for_what_settles_in_the_same_flush() {
    let (mut ring, fake) = ring();
    fake.script(|s| s.instant = Some(8));
    let timeout = Some(Duration::from_secs(1));
    let operation = read(&ring);
    submit_with(&mut ring, operation, Extra { timeout, ..Extra::default() }, 7);
    assert_eq!(settle(&mut ring), [(7, Verdict::Completed(8))]);
    assert!(fake.script(|s| s.taken.len()) == 1 && fake.timer().is_none());
}

// One at a time at a file's position.

#[test]
fn positions_cancelled_timed_out_and_failed_turns_pass_to_the_next() {
    let (mut ring, fake) = ring();
    let file = seekable();
    let key =
        |ring: &mut FakeRing, client| submit_at_position(ring, &file, Extra::default(), client);
    let keys: Vec<Key> = (0..6).map(|client| key(&mut ring, client)).collect();
    settle(&mut ring);
    assert_eq!(fake.held(), [keys[0]]);
    // One in the middle of the line goes; nobody's turn comes by that.
    ring.cancel(keys[2]);
    assert_eq!(settle(&mut ring), [(2, Verdict::Cancelled)]);
    assert_eq!(fake.held(), [keys[0]]);
    // The one that runs fails: the next runs.
    fake.complete(keys[0], -libc::EIO);
    assert_eq!(settle(&mut ring), [(0, Verdict::Failed(libc::EIO))]);
    assert_eq!(fake.held(), [keys[1]]);
    // The one that runs is interrupted: it keeps its turn.
    fake.complete(keys[1], -libc::EINTR);
    assert_eq!(settle(&mut ring), []);
    assert_eq!(fake.held(), [keys[1]]);
    // The one that runs is cancelled: the next runs, past the one that went.
    fake.script(|s| s.cancels = [ends(0, -libc::ECANCELED)].into());
    ring.cancel(keys[1]);
    assert_eq!(settle(&mut ring), [(1, Verdict::Cancelled)]);
    assert_eq!(fake.held(), [keys[3]]);
    // All of them at once.
    fake.script(|s| s.cancels = [ends(0, -libc::ECANCELED)].into());
    assert_eq!(ring.cancel_descriptor(file.as_raw_fd()), 3);
    let mut done = settle(&mut ring);
    done.sort_by_key(|&(client, _)| client);
    assert_eq!(done.iter().map(|d| d.0).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!((ring.pending(), ring.arena().usage().held), (0, 0));
    // The line is gone: the next one runs at once.
    let last = key(&mut ring, 9);
    settle(&mut ring);
    assert_eq!(fake.held(), [last]);
}

#[test]
fn positions_a_turn_that_comes_while_the_ring_is_full_waits_in_the_queue() {
    let (mut ring, fake) = ring();
    let file = seekable();
    let first = submit_at_position(&mut ring, &file, Extra::default(), 0);
    let second = submit_at_position(&mut ring, &file, Extra::default(), 1);
    let third = submit_at_position(&mut ring, &file, Extra::default(), 2);
    submit_reads(&mut ring, 10..40);
    settle(&mut ring);
    assert_eq!(fake.held().len() as u32, IN_FLIGHT);
    fake.complete(first, 8);
    settle(&mut ring);
    assert_eq!(fake.submissions(second).len(), 0, "others stood in the queue before it");
    // It is cancelled while it waits for room: the turn passes on.
    assert!(ring.cancel(second));
    assert_eq!(settle(&mut ring), [(1, Verdict::Cancelled)]);
    for key in fake.held() {
        fake.complete(key, 8);
    }
    fake.script(|s| s.instant = Some(8));
    run(&mut ring, &fake);
    assert_eq!(fake.submissions(third).len(), 1);
    assert_eq!(ring.pending(), 0);
}

#[test]
fn clause_3_memory_a_vectored_operation_names_the_parts_that_it_holds() {
    let (mut ring, fake) = ring();
    let part = |ring: &FakeRing| ring.arena().allocate(8).unwrap();
    let parts = vec![part(&ring), part(&ring)];
    let mut vectors = Vectors::new(ring.arena(), parts, 0).unwrap();
    // The parts are public: who changes them must not leave the kernel with freed memory.
    let other = part(&ring);
    let address = other.address();
    vectors.parts[0] = other;
    vectors.parts.pop();
    let descriptor = Descriptor::Borrowed(0);
    submit(&mut ring, ReadVectored { descriptor, vectors }, 7);
    settle(&mut ring);
    let Work::Readv { vectors, count, .. } = fake.script(|s| s.taken[0].work) else { panic!() };
    assert_eq!(count, 1);
    // SAFETY: the ring holds the array, whose first entry was just submitted.
    let vector = unsafe { *(vectors as *const libc::iovec) };
    assert_eq!((vector.iov_base as usize, vector.iov_len), (address, 8));
}

#[test]
fn clause_3_memory_parts_beyond_the_array_are_not_named() {
    let (mut ring, fake) = ring();
    let mut vectors = Vectors::new(ring.arena(), Vec::new(), 0).unwrap();
    let part = ring.arena().allocate(8).unwrap();
    vectors.parts = vec![part; 2000];
    submit(&mut ring, ReadVectored { descriptor: Descriptor::Borrowed(0), vectors }, 7);
    settle(&mut ring);
    let Work::Readv { count, .. } = fake.script(|s| s.taken[0].work) else { panic!() };
    assert_eq!(count, 1, "there is room for one");
}

// All at once, at random.

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % bound
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

/// A client that does anything on a kernel that does anything, and what must come of it.
struct Chaos {
    ring: FakeRing,
    fake: Fake,
    files: [File; 2],
    keys: Vec<Key>,
    /// How often each client was settled.
    settled: Vec<u32>,
    stuck: usize,
}

impl Chaos {
    fn new(random: &mut Random) -> Self {
        let queue_limit = random.pick(&[0, 3, 30, 1000]);
        let entries = random.pick(&[1, 2, 4, 64]);
        let completions = random.pick(&[5, 8, 16, 64]);
        let (ring, fake) =
            ring_of(entries, completions, Options { queue_limit, ..Options::default() });
        let files = [seekable(), seekable()];
        Self { ring, fake, files, keys: Vec::new(), settled: Vec::new(), stuck: 0 }
    }

    fn submit(&mut self, random: &mut Random) {
        let timeout = random.chance(3).then(|| Duration::from_micros(random.below(5000) as u64));
        let extra = Extra { asynchronous: random.chance(3), timeout };
        let memory = self.ring.arena().allocate(8).unwrap();
        let number = random.pick(&[0, 0, 1, 2].map(|of: usize| match of {
            0 => 0,
            of => self.files[of - 1].as_raw_fd(),
        }));
        let offset = if number == 0 { 0 } else { CURRENT_POSITION };
        let descriptor = Descriptor::Borrowed(number);
        let client = self.settled.len() as u32;
        if let Ok(key) = self.ring.submit(Read { descriptor, memory, offset }.into(), extra, client)
        {
            self.keys.push(key);
            self.settled.push(0);
        }
    }

    fn flush(&mut self, limit: usize) {
        let (done, flushed) = flush(&mut self.ring, limit);
        assert!(done.len() <= limit);
        for (client, verdict) in done {
            self.settled[client as usize] += 1;
            assert_eq!(self.settled[client as usize], 1, "clause 1");
            self.stuck += usize::from(verdict == Verdict::Stuck);
        }
        let asleep = !flushed.again && !self.fake.is_readable();
        if asleep && self.ring.pending() > 0 {
            assert!(!self.fake.held().is_empty(), "asleep, and nothing would wake anybody");
            let (due, timer) = (self.ring.deadlines.earliest(), self.fake.timer());
            assert!(due.is_none_or(|due| timer.is_some_and(|timer| timer <= due)), "clause 2");
        }
    }

    fn step(&mut self, random: &mut Random) {
        match random.below(12) {
            0..=2 => (0..random.below(8)).for_each(|_| self.submit(random)),
            3 => self.flush(random.below(4)),
            4 | 5 => self.flush(usize::MAX),
            6 => self.fake.pass(Duration::from_micros(random.below(3000) as u64)),
            7 | 8 => {
                let held = self.fake.held();
                if !held.is_empty() {
                    let results = [8, 3, 0, -libc::EIO, -libc::EINTR, -512, -libc::EAGAIN];
                    let (key, result) = (random.pick(&held), random.pick(&results));
                    let more = random.chance(8);
                    self.fake.post(key, result, more, false);
                }
            }
            9 => {
                if !self.keys.is_empty() {
                    let key = random.pick(&self.keys);
                    self.ring.cancel(key);
                }
            }
            10 => {
                let script = match random.below(4) {
                    0 => lost(random.pick(&[0, 1, -libc::ENOENT, -libc::EALREADY, -libc::EINVAL])),
                    1 => Script { target_first: true, ..ends(0, -libc::ECANCELED) },
                    2 => ends(-libc::EALREADY, random.pick(&[8, -libc::EINTR, -513])),
                    _ => ends(0, -libc::ECANCELED),
                };
                self.fake.script(|s| s.cancels.push_back(script));
                if random.chance(5) {
                    self.fake.script(|s| s.updates.push_back(-libc::EINVAL));
                }
                if random.chance(20) {
                    self.ring.cancel_descriptor(random.pick(&[0, self.files[0].as_raw_fd()]));
                }
            }
            _ => {
                let refusal = Enter::Refuse(random.pick(&[libc::EAGAIN, libc::EBUSY, libc::EINTR]));
                let enter = random.pick(&[refusal, Enter::Take(0), Enter::Take(1)]);
                self.fake.script(|s| s.enters.push_back(enter));
            }
        }
        self.audit();
    }

    fn audit(&self) {
        let stats = self.ring.stats();
        let back = self.settled.iter().sum::<u32>() as usize;
        assert_eq!(stats.submitted as usize, self.settled.len());
        assert_eq!(stats.submitted as usize, back + self.ring.pending(), "conservation");
        let held = (self.ring.pending() + self.stuck) * 4096;
        assert_eq!(self.ring.arena().usage().held, held, "clause 3");
    }

    fn end(mut self, random: &mut Random) {
        let honest = random.chance(2);
        self.fake.script(|s| {
            s.honest = honest;
            s.enters.clear();
        });
        if honest {
            self.ring.cancel_all();
        } else {
            self.ring.destroy(Duration::from_secs(2));
        }
        for _ in 0..100 {
            self.flush(usize::MAX);
            self.audit();
            self.fake.pass(Duration::from_millis(100));
        }
        assert_eq!(self.ring.pending(), 0, "clause 2");
        assert!(self.settled.iter().all(|&times| times == 1));
        assert!(self.stuck == 0 || !honest);
        let (arena, leaked) = (self.ring.arena().clone(), self.stuck * 4096);
        drop(self.ring);
        assert_eq!(arena.usage().held, leaked);
    }
}

#[test]
fn clause_1_once_and_all_the_others_at_random() {
    let (mut operations, mut stuck) = (0, 0);
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut chaos = Chaos::new(&mut random);
        for _ in 0..400 {
            chaos.step(&mut random);
        }
        operations += chaos.settled.len();
        stuck += usize::from(!chaos.fake.held().is_empty());
        if random.chance(4) {
            // Dropped with whatever it has: the kernel's part is leaked, the rest freed.
            let (arena, fake) = (chaos.ring.arena().clone(), chaos.fake.clone());
            drop(chaos);
            assert!(arena.usage().held >= fake.held().len() * 4096);
        } else {
            chaos.end(&mut random);
        }
    }
    assert!(operations > 20_000 && stuck > 50, "{operations} operations, {stuck} left in flight");
}

//! Clause 2: a cancelled operation ends.

use super::*;

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

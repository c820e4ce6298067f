//! Deadlines and the timer behind them.

use super::*;

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
fn clause_7_bounded_no_timer_is_armed_for_what_settles_in_the_same_flush() {
    let (mut ring, fake) = ring();
    fake.script(|s| s.instant = Some(8));
    let timeout = Some(Duration::from_secs(1));
    let operation = read(&ring);
    submit_with(&mut ring, operation, Extra { timeout, ..Extra::default() }, 7);
    assert_eq!(settle(&mut ring), [(7, Verdict::Completed(8))]);
    assert!(fake.script(|s| s.taken.len()) == 1 && fake.timer().is_none());
}

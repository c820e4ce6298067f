//! Clause 4: nothing is lost.

use super::*;

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

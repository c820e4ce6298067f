//! What found nothing there is polled, or paused for, and tried again.

use super::*;

#[test]
fn clause_2_live_what_found_nothing_there_is_polled_and_tried_again() {
    for is_write in [false, true] {
        let (mut ring, fake) = ring();
        let (reader, writer) = pipe();
        let number = if is_write { writer.as_raw_fd() } else { reader.as_raw_fd() };
        let key = if is_write { write(&mut ring, number, 7) } else { read(&mut ring, number, 7) };
        settle(&mut ring);
        assert_eq!(completes(&mut ring, &fake, key, -libc::EAGAIN), []);
        assert_eq!(completes(&mut ring, &fake, key, 1), []);
        let works = fake.works(key);
        assert_eq!(works.len(), 3);
        let (descriptor, events) = polled(works[1]);
        assert_eq!(events, if is_write { libc::POLLOUT.into() } else { libc::POLLIN.into() });
        assert_ne!(descriptor, number, "clause 3: its owner may close the number meanwhile");
        assert_eq!(inode(descriptor), inode(number));
        let again = match works[2] {
            Decoded::Read { descriptor, .. } | Decoded::Write { descriptor, .. } => descriptor,
            other => panic!("{other:?}"),
        };
        assert_eq!(again, descriptor, "and the next attempt is on the same file");
        assert_eq!(completes(&mut ring, &fake, key, 8), [(7, Verdict::Completed(8))]);
        assert_eq!(inode(descriptor), None, "clause 5: the duplicate is closed");
        assert_eq!(fake.submissions(key), [false; 3]);
    }
}

#[test]
fn clause_2_live_a_wrong_poll_is_followed_by_pauses() {
    let (mut ring, fake) = ring();
    let (reader, _writer) = pipe();
    let key = read(&mut ring, reader.as_raw_fd(), 7);
    settle(&mut ring);
    // Attempt, poll; attempt, pause, poll; attempt, pause, poll.
    let ends = [-libc::EAGAIN, 1, -libc::EAGAIN, -libc::ETIME, 1, -libc::EAGAIN, -libc::ETIME, 1];
    for end in ends {
        assert_eq!(completes(&mut ring, &fake, key, end), []);
    }
    let pauses = fake.works(key).into_iter().filter_map(|work| match work {
        Decoded::Pause { number } => Some(number),
        _ => None,
    });
    assert_eq!(pauses.collect::<Vec<_>>(), [0, 1]);
    assert!(matches!(
        fake.works(key)[..],
        [
            Decoded::Read { .. },
            Decoded::Poll { .. },
            Decoded::Read { .. },
            Decoded::Pause { .. },
            Decoded::Poll { .. },
            Decoded::Read { .. },
            Decoded::Pause { .. },
            Decoded::Poll { .. },
            Decoded::Read { .. }
        ]
    ));
    assert_eq!(completes(&mut ring, &fake, key, 8), [(7, Verdict::Completed(8))]);
}

#[test]
fn clause_4_nothing_lost_a_poll_that_ends_after_a_cancel_settles_as_cancelled() {
    for misses in [1, 2] {
        for end in [1, -libc::ECANCELED, -libc::EINTR, -libc::ETIME, -libc::EAGAIN] {
            let (mut ring, fake) = ring();
            let (reader, _writer) = pipe();
            let key = read(&mut ring, reader.as_raw_fd(), 7);
            settle(&mut ring);
            // In a poll, or in a pause.
            for result in [-libc::EAGAIN, 1, -libc::EAGAIN].into_iter().take(2 * misses - 1) {
                completes(&mut ring, &fake, key, result);
            }
            let before = fake.works(key).len();
            assert!(ring.cancel(key));
            assert_eq!(settle(&mut ring), [], "clause 3: the kernel has it");
            assert_eq!(fake.cancels(key), 1);
            assert_eq!(completes(&mut ring, &fake, key, end), [(7, Verdict::Cancelled)], "{end}");
            assert_eq!(fake.works(key).len(), before, "nothing is submitted again");
        }
    }
}

#[test]
fn clause_4_nothing_lost_eagain_of_what_does_not_wait_is_its_own_error() {
    let file = in_memory(100);
    let (made_up, server) = (pipe().0, pipe().0);
    for (number, kind) in [
        (file.as_raw_fd(), FileKind::Local),
        (file.as_raw_fd(), FileKind::Layered),
        (file.as_raw_fd(), FileKind::Block),
        // Without O_NONBLOCK these wait by themselves.
        (made_up.as_raw_fd(), FileKind::Pseudo { has_content: false }),
        (server.as_raw_fd(), FileKind::Remote),
    ] {
        let (mut ring, fake) = ring();
        fake.script(|s| s.kinds.insert(number, kind));
        let key = read(&mut ring, number, 7);
        settle(&mut ring);
        let failed = [(7, Verdict::Failed(libc::EAGAIN))];
        assert_eq!(completes(&mut ring, &fake, key, -libc::EAGAIN), failed, "{kind:?}");
    }
    let (reader, _writer) = pipe();
    let (mut ring, fake) = ring();
    let operation = Poll { descriptor: Descriptor::Borrowed(reader.as_raw_fd()), events: 1 };
    let key = submit(&mut ring, operation, 7);
    settle(&mut ring);
    let failed = [(7, Verdict::Failed(libc::EAGAIN))];
    assert_eq!(completes(&mut ring, &fake, key, -libc::EAGAIN), failed, "a poll transfers nothing");
}

#[test]
fn clause_2_live_what_a_worker_waits_for_is_polled_plain_but_for_what_a_server_is_asked() {
    for (kind, in_worker) in [(FileKind::Fuse, true), (FileKind::Device, false)] {
        let (mut ring, fake) = ring();
        let (reader, _writer) = pipe();
        let number = reader.as_raw_fd();
        set_flags(number, libc::O_NONBLOCK);
        fake.script(|s| (s.kinds.insert(number, kind), s.ways.insert(kind, Way::Worker)));
        let key = read(&mut ring, number, 7);
        settle(&mut ring);
        for result in [-libc::EAGAIN, 1, -libc::EAGAIN, -libc::ETIME, 1] {
            assert_eq!(completes(&mut ring, &fake, key, result), [], "{kind:?}");
        }
        // Attempt, poll, attempt, pause, poll, attempt.
        assert_eq!(
            fake.submissions(key),
            [true, in_worker, true, false, in_worker, true],
            "{kind:?}"
        );
        assert_eq!(completes(&mut ring, &fake, key, 8), [(7, Verdict::Completed(8))]);
    }
}

#[test]
fn a_timeout_ends_a_poll_as_it_would_have_ended_the_read() {
    let (mut ring, fake) = ring();
    let (reader, _writer) = pipe();
    let timeout = Some(std::time::Duration::from_millis(5));
    let operation = read_of(&ring, reader.as_raw_fd(), 8, CURRENT_POSITION);
    let key = submit_with(&mut ring, operation, Extra { asynchronous: false, timeout }, 7);
    settle(&mut ring);
    completes(&mut ring, &fake, key, -libc::EAGAIN);
    fake.script(|s| s.honest = true);
    fake.pass(std::time::Duration::from_millis(6));
    let mut done = completions(&mut ring);
    done.extend(completions(&mut ring));
    assert_eq!((done.len(), done[0].verdict, done[0].timed_out), (1, Verdict::Cancelled, true));
}

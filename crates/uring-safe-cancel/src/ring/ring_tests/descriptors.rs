//! Clauses 5 and 6, and closes: no descriptor leaks, and none is taken for another.

use super::*;

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
    let close = works.iter().position(|work| matches!(work, Decoded::Close { .. })).unwrap();
    let cancels =
        works[..close].iter().filter(|work| matches!(work, Decoded::Cancel { .. })).count();
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

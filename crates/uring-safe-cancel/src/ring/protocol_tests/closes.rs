//! Closes that may wait.

use super::*;

fn await_event(event: RawFd) {
    let mut poll = libc::pollfd { fd: event, events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to a pollfd of this frame.
    assert_eq!(unsafe { libc::poll(&mut poll, 1, -1) }, 1);
}

#[test]
fn what_may_wait_at_its_close_is_closed_on_a_thread_whose_end_is_polled() {
    for kind in
        [FileKind::Device, FileKind::Fuse, FileKind::Remote, FileKind::Layered, FileKind::Block]
    {
        let (mut ring, fake) = ring();
        let (reader, _writer) = pipe();
        let number = reader.into_raw_fd();
        let identity = inode(number);
        fake.script(|s| s.kinds.insert(number, kind));
        let key = submit(&mut ring, Close::new(number), 7);
        settle(&mut ring);
        assert!(!ring.cancel(key));
        let (event, events) = polled(fake.works(key)[0]);
        assert_eq!(events, libc::POLLIN.into());
        await_event(event);
        assert_ne!(inode(number), identity, "{kind:?}: closed");
        // What the poll says is not what the close says.
        assert_eq!(completes(&mut ring, &fake, key, -libc::EIO), [(7, Verdict::Completed(0))]);
    }
}

#[test]
fn a_close_on_a_thread_says_what_was_wrong() {
    let (mut ring, fake) = ring();
    // Beyond all that is open.
    let nobodys = 1_000_000;
    fake.script(|s| s.kinds.insert(nobodys, FileKind::Layered));
    let key = submit(&mut ring, Close::new(nobodys), 7);
    settle(&mut ring);
    await_event(polled(fake.works(key)[0]).0);
    assert_eq!(completes(&mut ring, &fake, key, 1), [(7, Verdict::Failed(libc::EBADF))]);
}

#[test]
fn a_close_on_a_thread_waits_until_the_kernel_has_what_was_called_before() {
    let (mut ring, fake) = ring();
    let (reader, writer) = pipe();
    let number = reader.into_raw_fd();
    let identity = inode(number);
    fake.script(|s| s.kinds.insert(number, FileKind::Layered));
    fake.script(|s| s.always = Some(Enter::Refuse(libc::EAGAIN)));
    write(&mut ring, writer.as_raw_fd(), 0);
    let key = submit(&mut ring, Close::new(number), 7);
    let (_, flushed) = flush(&mut ring, usize::MAX);
    assert!(flushed.again && fake.works(key).is_empty());
    assert_eq!(inode(number), identity, "not yet");
    fake.script(|s| s.always = None);
    settle(&mut ring);
    await_event(polled(fake.works(key)[0]).0);
    assert_eq!(completes(&mut ring, &fake, key, 1), [(7, Verdict::Completed(0))]);
}

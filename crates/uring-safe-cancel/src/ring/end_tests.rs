//! The ends of operations and rings: a close always closes, and cancels cost what they cancel.

use super::fake_tests::*;
use crate::operation::{Close, Read, CURRENT_POSITION};
use crate::{Descriptor, Extra, Options, Verdict};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::time::Duration;

fn read_on(ring: &mut FakeRing, number: RawFd, client: u32) {
    let memory = ring.arena().allocate(8).unwrap();
    submit(ring, Read { descriptor: Descriptor::Borrowed(number), memory, offset: 0 }, client);
}

/// A pipe's end whose closing can be seen: the number of the reader, and the writer.
fn pipe_end() -> (RawFd, File) {
    let mut ends = [-1; 2];
    // SAFETY: the array has room for both descriptors.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    // SAFETY: the kernel just made it for us.
    (ends[0], unsafe { File::from_raw_fd(ends[1]) })
}

/// Whether a pipe's reader is closed.
fn is_closed(writer: &File) -> bool {
    let mut poll = libc::pollfd { fd: writer.as_raw_fd(), events: 0, revents: 0 };
    // SAFETY: the pointer is to one pollfd of this frame.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 && poll.revents & libc::POLLERR != 0 }
}

#[test]
fn a_close_is_never_refused_closing_draining_given_up_or_full() {
    type Life = fn(&mut FakeRing);
    let lives: [(&str, Life); 5] = [
        ("closing", |ring| ring.close()),
        ("draining", |ring| {
            read_on(ring, 0, 0);
            settle(ring);
            ring.destroy(Duration::from_secs(2));
        }),
        ("given up", |ring| {
            read_on(ring, 0, 0);
            settle(ring);
            ring.abandon();
            settle(ring);
        }),
        ("in flight full", |ring| (0..IN_FLIGHT).for_each(|client| read_on(ring, 0, client))),
        ("a queue full of those in line for a position", |ring| {
            let file = File::open("/proc/self/exe").unwrap();
            let mut client = 0;
            let mut submit = || {
                let memory = ring.arena().allocate(8).unwrap();
                let descriptor = Descriptor::Borrowed(file.as_raw_fd());
                let read = Read { descriptor, memory, offset: CURRENT_POSITION };
                client += 1;
                ring.submit(read.into(), Extra::default(), client)
            };
            while submit().is_ok() {}
            assert!(ring.table.may_submit() && !ring.table.has_room());
        }),
    ];
    for (name, bring) in lives {
        let (mut ring, _fake) = ring_with(Options { queue_limit: 4, ..Options::default() });
        bring(&mut ring);
        let (reader, writer) = pipe_end();
        let close = Close::new(reader);
        let key = ring.submit(close.into(), Extra::default(), 77).expect(name);
        assert!(is_closed(&writer), "{name}: close(2) at the call");
        let mut done = Vec::new();
        ring.flush(usize::MAX, &mut |completion| done.push((completion.key, completion.verdict)));
        assert!(done.contains(&(key, Verdict::Completed(0))), "{name}: {done:?}");
        // A second one says what close(2) says.
        let key = ring.submit(Close::new(reader).into(), Extra::default(), 78).expect(name);
        let mut done = Vec::new();
        ring.flush(usize::MAX, &mut |completion| done.push((completion.key, completion.verdict)));
        assert!(done.contains(&(key, Verdict::Failed(libc::EBADF))), "{name}: {done:?}");
    }
}

#[test]
fn a_cancel_by_descriptor_looks_at_nobody_elses_operations() {
    let (mut ring, _fake) = ring();
    for client in 0..8 {
        read_on(&mut ring, 1000 + client as i32 % 4, client);
    }
    assert_eq!(ring.cancel_descriptor(1001), 2, "who was there before the lists were kept");
    for client in 8..12 {
        read_on(&mut ring, 1000 + client as i32 % 4, client);
    }
    assert_eq!(ring.by_descriptor.on(1001).count(), 3);
    assert_eq!(ring.cancel_descriptor(1001), 3);
    assert_eq!(ring.cancel_descriptor(1001), 3, "they are asked for once and for all");
    assert_eq!(ring.cancel_descriptor(2000), 0);
    ring.abandon();
    settle(&mut ring);
    assert!((1000..1004).all(|number| ring.by_descriptor.on(number).count() == 0));
}

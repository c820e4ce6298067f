//! The ring over a kernel that does what the real one can, but will not when asked.

use super::fake_tests::*;
use crate::operation::{Close, Nop, Open, Read, ReadVectored, Sleep, Vectors, CURRENT_POSITION};
use crate::{Descriptor, Extra, Key, Operation, Options, Refusal, Verdict};
use std::fs::File;
use std::os::fd::{AsRawFd, IntoRawFd};
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

const RETRY: Duration = Duration::from_micros(200);

// Lost wake-ups: a flush may leave something to do only if a CQE will come, or if it says so.

#[test]
fn clause_7_bounded_a_refusal_that_passes_forgets_nobody_who_waits() {
    let (mut ring, fake) = ring();
    (0..4).for_each(|client| drop(submit_read(&mut ring, client)));
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

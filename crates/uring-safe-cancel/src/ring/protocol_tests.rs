//! Before it touches a file the ring asks what kind it is, and by that it polls and tries again, takes turns and
//! positions, tells results that need no kernel, and closes on a thread.

#[path = "protocol_tests/closes.rs"]
mod closes;
#[path = "protocol_tests/looks.rs"]
mod looks;
#[path = "protocol_tests/turns.rs"]
mod turns;
#[path = "protocol_tests/waiting.rs"]
mod waiting;

use super::fake_tests::*;
use crate::descriptor::FileKind;
use crate::kernel::decoded::Decoded;
use crate::kernel::Way;
use crate::operation::{
    Close, Poll, Read, ReadVectored, Vectors, Write, WriteVectored, CURRENT_POSITION,
};
use crate::{Descriptor, Extra, Key, Operation, Verdict};
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Seek, SeekFrom};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};

fn read_of(ring: &FakeRing, number: RawFd, length: usize, offset: u64) -> Operation {
    let memory = ring.arena().allocate(length).unwrap();
    Read { descriptor: Descriptor::Borrowed(number), memory, offset }.into()
}

fn write_of(ring: &FakeRing, number: RawFd, length: usize, offset: u64) -> Operation {
    let memory = ring.arena().allocate(length).unwrap();
    Write { descriptor: Descriptor::Borrowed(number), memory, offset }.into()
}

fn read(ring: &mut FakeRing, number: RawFd, client: u32) -> Key {
    let operation = read_of(ring, number, 8, CURRENT_POSITION);
    submit(ring, operation, client)
}

fn write(ring: &mut FakeRing, number: RawFd, client: u32) -> Key {
    let operation = write_of(ring, number, 8, CURRENT_POSITION);
    submit(ring, operation, client)
}

fn pipe() -> (PipeReader, PipeWriter) {
    std::io::pipe().unwrap()
}

/// Completes what the kernel has of an operation, and hands over what follows.
fn completes(ring: &mut FakeRing, fake: &Fake, key: Key, result: i32) -> Vec<(u32, Verdict)> {
    fake.complete(key, result);
    settle(ring)
}

fn set_flags(number: RawFd, flags: i32) {
    // SAFETY: the call takes integers.
    assert_eq!(unsafe { libc::fcntl(number, libc::F_SETFL, flags) }, 0);
}

/// A file in memory, so many bytes long, with its position at the start.
fn in_memory(length: u64) -> File {
    // SAFETY: the name ends in NUL.
    let number = unsafe { libc::memfd_create(c"positions".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(number >= 0);
    // SAFETY: it was just made, for this test.
    let file = unsafe { File::from_raw_fd(number) };
    file.set_len(length).unwrap();
    file
}

fn inode(number: RawFd) -> Option<(u64, u64)> {
    let look = crate::descriptor::look(number);
    (look.kind != FileKind::Unknown).then_some(look.identity)
}

fn polled(work: Decoded) -> (RawFd, i32) {
    match work {
        Decoded::Poll { descriptor, events } => (descriptor, events as i32),
        other => panic!("{other:?} is no poll"),
    }
}

fn offset(work: Decoded) -> u64 {
    match work {
        Decoded::Read { offset, .. } | Decoded::Write { offset, .. } => offset,
        other => panic!("{other:?} has no offset"),
    }
}

#[test]
fn what_the_system_call_says_of_no_bytes_and_of_no_position_is_told_at_once() {
    let (reader, writer) = pipe();
    let (from, into) = (reader.as_raw_fd(), writer.as_raw_fd());
    let file = in_memory(100);
    let now = CURRENT_POSITION;
    for (kind, number, length, offset, is_write, told) in [
        (FileKind::Pipe, from, 0, now, false, Some(0)),
        (FileKind::Pipe, into, 0, now, true, Some(0)),
        (FileKind::Pipe, from, 0, now, true, Some(-libc::EBADF)),
        (FileKind::Pipe, into, 0, now, false, Some(-libc::EBADF)),
        (FileKind::Pipe, from, 8, 0, false, Some(-libc::ESPIPE)),
        (FileKind::Pipe, into, 8, 3, true, Some(-libc::ESPIPE)),
        (FileKind::Socket, from, 8, 0, false, Some(-libc::ESPIPE)),
        (FileKind::Anonymous, into, 0, now, true, Some(0)),
        (FileKind::Anonymous, from, 0, now, false, None),
        (FileKind::Device, from, 0, now, false, Some(0)),
        (FileKind::PromptDevice, into, 0, now, true, Some(0)),
        (FileKind::Pipe, from, 8, now, false, None),
        (FileKind::Local, file.as_raw_fd(), 0, now, false, None),
        (FileKind::Local, file.as_raw_fd(), 8, 3, true, None),
        // It has a position after all: what the kernel kind cannot tell, the file does.
        (FileKind::Device, file.as_raw_fd(), 8, 3, false, None),
    ] {
        let context = (kind, length, offset == now, is_write);
        let (mut ring, fake) = ring();
        fake.script(|s| s.kinds.insert(number, kind));
        let operation = match is_write {
            true => write_of(&ring, number, length, offset),
            false => read_of(&ring, number, length, offset),
        };
        let key = submit(&mut ring, operation, 7);
        let done = settle(&mut ring);
        let expected = told.map(|told| match told {
            0.. => (7, Verdict::Completed(told)),
            error => (7, Verdict::Failed(-error)),
        });
        assert_eq!(done, Vec::from_iter(expected), "{context:?}");
        assert_eq!(fake.works(key).len(), usize::from(told.is_none()), "{context:?}");
        assert_eq!(ring.cancel(key), told.is_none(), "what was told is over: {context:?}");
        assert_eq!(ring.stats().submitted, 1);
    }
}

#[test]
fn what_the_system_call_says_of_an_empty_array_is_told_at_once() {
    let (reader, writer) = pipe();
    for kind in [FileKind::Pipe, FileKind::Device, FileKind::PromptDevice] {
        let (mut ring, fake) = ring();
        let numbers = [reader.as_raw_fd(), writer.as_raw_fd()];
        fake.script(|s| s.kinds.extend(numbers.map(|number| (number, kind))));
        let vectors = || Vectors::new(ring.arena(), Vec::new(), CURRENT_POSITION).unwrap();
        let (one, other) = (vectors(), vectors());
        let descriptor = Descriptor::Borrowed(numbers[0]);
        submit(&mut ring, ReadVectored { descriptor, vectors: one }, 0);
        let descriptor = Descriptor::Borrowed(numbers[1]);
        submit(&mut ring, WriteVectored { descriptor, vectors: other }, 1);
        let nothing = [(0, Verdict::Completed(0)), (1, Verdict::Completed(0))];
        assert_eq!(settle(&mut ring), nothing, "{kind:?}");
        assert!(fake.held().is_empty());
    }
}

//! A descriptor that is closed, its number used again, while an operation on it is pending: the operation keeps its
//! file. (`dup2` closes and reuses in one step; tests beside this one open files too.)

use super::environment::path;
use super::ours::{self, ring_with, TestRing};
use super::raw::{leaked, Raw, PATIENCE};
use super::sources::{eventfd, set_nonblocking};
use io_uring::{opcode, types};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use uring_safe_cancel::operation::CURRENT_POSITION;
use uring_safe_cancel::{Descriptor, Options, Verdict};

const ROUNDS: usize = 2_000;

/// A file of one letter, for ever.
fn letters(letter: u8) -> File {
    let path = path("letters");
    std::fs::write(&path, vec![letter; 4096]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

/// The number of `file` means `other` from now on.
fn reuse(file: &File, other: &File) {
    // SAFETY: both descriptors are the test's own, and open.
    assert!(unsafe { libc::dup2(other.as_raw_fd(), file.as_raw_fd()) } >= 0);
}

#[test]
fn asynchronous_operations_keep_their_file() {
    let (right, wrong) = (letters(b'a'), letters(b'b'));
    let mut misled = 0;
    let mut raw = Raw::new();
    let buffer = leaked(8);
    for _ in 0..ROUNDS {
        let file = right.try_clone().unwrap();
        let fd = types::Fd(file.as_raw_fd());
        let tag = raw.submit(opcode::Read::new(fd, buffer.as_mut_ptr(), 8).build(), true);
        reuse(&file, &wrong);
        assert_eq!(raw.result(tag, PATIENCE), Some(8));
        misled += usize::from(buffer[0] == b'b');
    }
    let mut ring = ours::ring();
    for round in 0..ROUNDS {
        let file = right.try_clone().unwrap();
        let read = ours::read(&ring, &file, 8, 0);
        ours::submit(&mut ring, read, ours::ASYNCHRONOUS, round);
        if round % 2 == 0 {
            // Its number may be gone before the kernel has seen it.
            ring.flush(0, &mut |_| ());
        }
        reuse(&file, &wrong);
        drop(file);
        let done = ours::drain(&mut ring);
        assert_eq!(ours::bytes(&done[0]), [b'a'; 8], "round {round}");
    }
    println!(
        "row: close and reuse, file, async; kernel: {misled} of {ROUNDS} reads hit the other file; library: 0 of {ROUNDS}"
    );
}

/// A ring that is full of reads on an eventfd, which end when they are cancelled.
fn full_ring() -> (TestRing, std::os::fd::OwnedFd) {
    let mut ring = ring_with(Options { entries: 8, completions: 8, ..Options::default() });
    let event = eventfd(0);
    for _ in 0..4 {
        let read = ours::read(&ring, &event, 8, CURRENT_POSITION);
        ours::submit(&mut ring, read, ours::PLAIN, 0);
    }
    ours::flush_idle(&mut ring);
    assert!(ring.is_full());
    (ring, event)
}

#[test]
fn queued_operations_keep_their_file() {
    let (right, wrong) = (letters(b'a'), letters(b'b'));
    let written = letters(b'.');
    for asynchronous in [false, true] {
        let (mut ring, event) = full_ring();
        let (source, target) = (right.try_clone().unwrap(), written.try_clone().unwrap());
        let extra = ours::extra(asynchronous);
        let read = ours::read(&ring, &source, 8, 0);
        ours::submit(&mut ring, read, extra, 1);
        let readv = ours::readv(&ring, &source, 8, 0);
        ours::submit(&mut ring, readv, extra, 2);
        let write = ours::write(&ring, &target, b"written.", 0);
        ours::submit(&mut ring, write, extra, 3);
        reuse(&source, &wrong);
        reuse(&target, &wrong);
        // The number that was meant still finds them.
        assert_eq!(ring.cancel_descriptor(event.as_raw_fd()), 4);
        let done = ours::drain(&mut ring);
        assert_eq!(done.len(), 7);
        for completion in done.iter().filter(|completion| matches!(completion.client, 1 | 2)) {
            assert_eq!(ours::bytes(completion), [b'a'; 8]);
        }
        let mut bytes = [0; 8];
        written.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"written.");
        wrong.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, [b'b'; 8], "the other file was not written to");
    }
}

#[test]
fn operations_that_are_parked_for_a_position_keep_their_file() {
    const READS: usize = 64;
    let (right, wrong) = (letters(b'a'), letters(b'b'));
    for asynchronous in [false, true] {
        let mut ring = ours::ring();
        // A description, and so a position, of its own.
        let path = format!("/proc/self/fd/{}", right.as_raw_fd());
        let file = File::open(path).unwrap();
        for client in 0..READS {
            let read = ours::read(&ring, &file, 64, CURRENT_POSITION);
            ours::submit(&mut ring, read, ours::extra(asynchronous), client);
        }
        // The first one is the only one that the kernel has, by now or by the flush.
        ring.flush(0, &mut |_| ());
        reuse(&file, &wrong);
        // What is asked for now means the other file.
        let read = ours::read(&ring, &file, 64, 0);
        ours::submit(&mut ring, read, ours::PLAIN, READS);
        let done = ours::drain(&mut ring);
        assert_eq!(done.len(), READS + 1);
        for completion in &done[..READS] {
            assert_eq!(ours::bytes(completion), [b'a'; 64], "read {}", completion.client);
        }
        assert_eq!(ours::bytes(&done[READS]), [b'b'; 64]);
    }
}

/// Some kernels (5.10) refuse, in a worker, to wait for a descriptor that does not block: it is submitted again.
#[test]
fn operations_that_are_submitted_again_keep_their_file() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let reader: std::os::fd::OwnedFd = reader.into();
    let reader = File::from(reader);
    set_nonblocking(&reader, true);
    let wrong = letters(b'b');
    let mut ring = ours::ring();
    for client in 0..8 {
        let read = ours::read(&ring, &reader, 8, CURRENT_POSITION);
        ours::submit(&mut ring, read, ours::ASYNCHRONOUS, client);
    }
    ours::flush_idle(&mut ring);
    reuse(&reader, &wrong);
    assert!(ours::next_within(&mut ring, Duration::from_millis(20)).is_none(), "they wait");
    writer.write_all(&[b'a'; 64]).unwrap();
    for completion in ours::drain(&mut ring) {
        assert_eq!(ours::bytes(&completion), [b'a'; 8]);
    }
}

/// What is held is held, however often it is looked up.
#[test]
fn a_held_descriptor_needs_no_number_of_the_client() {
    let (right, wrong) = (letters(b'a'), letters(b'b'));
    let mut ring = ours::ring();
    let file = right.try_clone().unwrap();
    let mut read = ours::read(&ring, &file, 8, 0);
    let held: std::os::fd::OwnedFd = file.try_clone().unwrap().into();
    read.descriptor = Descriptor::from(held);
    ours::submit(&mut ring, read, ours::PLAIN, 1);
    reuse(&file, &wrong);
    drop(file);
    let done = ours::drain(&mut ring);
    assert_eq!(done[0].verdict, Verdict::Completed(8));
    assert_eq!(ours::bytes(&done[0]), [b'a'; 8]);
}

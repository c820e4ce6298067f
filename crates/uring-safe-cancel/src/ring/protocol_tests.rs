//! Before it touches a file the ring asks what kind it is, and by that it polls and tries again, takes turns and
//! positions, tells results that need no kernel, and closes on a thread.

use super::fake_tests::*;
use crate::descriptor::FileKind;
use crate::kernel::{Way, Work};
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

fn polled(work: Work) -> (RawFd, i32) {
    match work {
        Work::Poll { descriptor, events } => (descriptor, events as i32),
        other => panic!("{other:?} is no poll"),
    }
}

fn offset(work: Work) -> u64 {
    match work {
        Work::Read { offset, .. } | Work::Write { offset, .. } => offset,
        other => panic!("{other:?} has no offset"),
    }
}

// What waits.

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
            Work::Read { descriptor, .. } | Work::Write { descriptor, .. } => descriptor,
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
        Work::Pause { number } => Some(number),
        _ => None,
    });
    assert_eq!(pauses.collect::<Vec<_>>(), [0, 1]);
    assert!(matches!(
        fake.works(key)[..],
        [
            Work::Read { .. },
            Work::Poll { .. },
            Work::Read { .. },
            Work::Pause { .. },
            Work::Poll { .. },
            Work::Read { .. },
            Work::Pause { .. },
            Work::Poll { .. },
            Work::Read { .. }
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

// What is known of a number.

#[test]
fn each_number_is_looked_at_once_a_flush() {
    let (mut ring, fake) = ring();
    let (reader, writer) = pipe();
    let numbers = [reader.as_raw_fd(), writer.as_raw_fd()];
    for round in 1..4 {
        for client in 0..4 {
            read(&mut ring, numbers[0], client);
            write(&mut ring, numbers[1], client);
        }
        let mut looked = fake.script(|s| std::mem::take(&mut s.looked));
        looked.sort_unstable();
        assert_eq!(looked, numbers, "flush {round}");
        fake.script(|s| s.instant = Some(1));
        settle(&mut ring);
        fake.script(|s| s.looked.clear());
    }
}

#[test]
fn a_file_that_operations_hold_is_looked_at_once() {
    let (mut ring, fake) = ring();
    let (reader, _writer) = pipe();
    let Descriptor::Held(file) = Descriptor::from(std::os::fd::OwnedFd::from(reader)) else {
        unreachable!("it was given away")
    };
    for client in 0..5 {
        let memory = ring.arena().allocate(8).unwrap();
        let descriptor = Descriptor::from(std::sync::Arc::clone(&file));
        submit(&mut ring, Read { descriptor, memory, offset: CURRENT_POSITION }, client);
        settle(&mut ring);
    }
    assert_eq!(fake.script(|s| s.looked.clone()), [file.as_raw_fd()]);
}

#[test]
fn what_the_ring_opened_is_looked_at_once_until_the_ring_closes_it() {
    // On a full ring a close is done at once.
    for is_full in [false, true] {
        let (mut ring, fake) = ring();
        fake.script(|s| s.instant = Some(0));
        let (reader, writer) = pipe();
        // A number that no other test gets meanwhile.
        // SAFETY: the call takes integers; the new descriptor is this test's.
        let number = unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 700) };
        ring.remember(number);
        for client in 0..3 {
            read(&mut ring, number, client);
            settle(&mut ring);
        }
        let looks = |fake: &Fake| fake.script(|s| std::mem::take(&mut s.looked));
        assert_eq!(looks(&fake), [number]);
        if is_full {
            fake.script(|s| s.instant = None);
            (0..IN_FLIGHT).for_each(|client| {
                write(&mut ring, writer.as_raw_fd(), client);
            });
            settle(&mut ring);
        }
        submit(&mut ring, Close::new(number), 9);
        settle(&mut ring);
        looks(&fake);
        // Another file has the number now: nobody may take it for what it was.
        // SAFETY: as above.
        assert_eq!(unsafe { libc::dup2(writer.as_raw_fd(), number) }, number);
        fake.script(|s| s.kinds.insert(number, FileKind::Directory));
        read(&mut ring, number, 10);
        assert_eq!(looks(&fake), [number], "full: {is_full}");
        ring.abandon();
        settle(&mut ring);
        // SAFETY: as above.
        unsafe { libc::close(number) };
    }
}

#[test]
fn a_regular_file_is_looked_at_once_for_operations_that_name_a_position() {
    let (mut ring, fake) = ring();
    let file = in_memory(100);
    let number = file.as_raw_fd();
    for client in 0..4 {
        let operation = read_of(&ring, number, 8, 0);
        submit(&mut ring, operation, client);
        settle(&mut ring);
    }
    assert_eq!(fake.script(|s| s.looked.clone()), [number]);
    read(&mut ring, number, 4);
    assert_eq!(fake.script(|s| s.looked.clone()), [number; 2], "at its position it is looked at");
}

// Turns.

fn in_turn(kind: FileKind, numbers: &[RawFd]) -> (FakeRing, Fake) {
    let (ring, fake) = ring();
    fake.script(|s| {
        s.ways.insert(kind, Way::InTurn);
        numbers.iter().for_each(|&number| {
            s.kinds.insert(number, kind);
        });
    });
    (ring, fake)
}

#[test]
fn clause_2_live_workers_that_spin_get_one_reader_and_one_writer_of_a_number() {
    let ((one, _w), (other, _x)) = (pipe(), pipe());
    let numbers = [one.as_raw_fd(), other.as_raw_fd()];
    let (mut ring, fake) = in_turn(FileKind::Device, &numbers);
    let first = read(&mut ring, numbers[0], 0);
    let second = read(&mut ring, numbers[0], 1);
    let operation = Poll { descriptor: Descriptor::Borrowed(numbers[0]), events: 1 };
    let third = submit(&mut ring, operation, 2);
    let writer = write(&mut ring, numbers[0], 3);
    let elsewhere = read(&mut ring, numbers[1], 4);
    settle(&mut ring);
    assert_eq!(fake.held(), [first, writer, elsewhere]);
    assert_eq!(fake.submissions(first), [true], "a worker's");
    // Interrupted, or with nothing there, it goes on to be the one.
    for result in [-libc::EINTR, -libc::EAGAIN] {
        assert_eq!(completes(&mut ring, &fake, first, result), []);
        assert_eq!(fake.held(), [first, writer, elsewhere]);
    }
    completes(&mut ring, &fake, first, 1);
    assert_eq!(completes(&mut ring, &fake, first, 8), [(0, Verdict::Completed(8))]);
    assert_eq!(fake.held(), [second, writer, elsewhere]);
    // Who is cancelled while he runs makes room when he ends, and not before.
    ring.cancel(second);
    settle(&mut ring);
    assert_eq!(fake.submissions(third).len(), 0);
    completes(&mut ring, &fake, second, -libc::ECANCELED);
    assert_eq!(fake.held(), [third, writer, elsewhere]);
}

#[test]
fn clause_2_live_reads_and_writes_of_a_file_with_a_position_share_one_turn() {
    let file = in_memory(100);
    let number = file.as_raw_fd();
    let (mut ring, fake) = in_turn(FileKind::Fuse, &[number]);
    let first = read(&mut ring, number, 0);
    let operation = write_of(&ring, number, 8, 50);
    let second = submit(&mut ring, operation, 1);
    settle(&mut ring);
    assert_eq!(fake.held(), [first]);
    completes(&mut ring, &fake, first, 8);
    assert_eq!(fake.held(), [second]);
    assert_eq!(offset(fake.works(second)[0]), 50);
}

// What is known without the kernel.

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

// Positions.

#[test]
fn clause_4_nothing_lost_positions_are_the_sum_of_what_came() {
    let mut file = in_memory(1000);
    let number = file.as_raw_fd();
    let (mut ring, fake) = ring();
    let mut sum = 0;
    // All of it, a part, an error, nothing at the end; an attempt that is repeated keeps its place.
    for (results, moved) in [
        (&[8][..], 8),
        (&[3], 3),
        (&[-libc::EIO], 0),
        (&[0], 0),
        (&[-libc::EINTR, 5], 5),
        (&[-libc::EINTR, -libc::EIO], 0),
    ] {
        for is_write in [false, true] {
            let key = match is_write {
                true => write(&mut ring, number, 0),
                false => read(&mut ring, number, 0),
            };
            settle(&mut ring);
            assert_eq!(file.stream_position().unwrap(), sum + 8, "nobody else gets these bytes");
            for &result in results {
                completes(&mut ring, &fake, key, result);
            }
            let offsets = fake.works(key).into_iter().map(offset);
            assert_eq!(offsets.collect::<Vec<_>>(), vec![sum; results.len()]);
            sum += moved;
            assert_eq!(file.stream_position().unwrap(), sum, "{results:?}");
        }
    }
}

#[test]
fn clause_4_nothing_lost_a_turn_that_is_cancelled_or_given_up_gives_its_place_back() {
    let mut file = in_memory(1000);
    file.seek(SeekFrom::Start(100)).unwrap();
    let number = file.as_raw_fd();
    let (mut ring, fake) = ring();
    let keys: Vec<Key> = (0..3).map(|client| read(&mut ring, number, client)).collect();
    settle(&mut ring);
    assert_eq!(file.stream_position().unwrap(), 108);
    ring.cancel(keys[1]);
    settle(&mut ring);
    assert_eq!(file.stream_position().unwrap(), 108, "it had no place yet");
    ring.cancel(keys[0]);
    completes(&mut ring, &fake, keys[0], -libc::ECANCELED);
    assert_eq!(
        offset(fake.works(keys[2])[0]),
        100,
        "the place was given back before the next turn"
    );
    assert_eq!(file.stream_position().unwrap(), 108);
    ring.abandon();
    assert_eq!(settle(&mut ring), [(2, Verdict::Stuck)]);
    assert_eq!(file.stream_position().unwrap(), 100);
}

#[test]
fn clause_4_nothing_lost_what_is_appended_and_what_is_made_up_moves_afterwards() {
    let mut file = in_memory(1000);
    let number = file.as_raw_fd();
    let made_up = FileKind::Pseudo { has_content: false };
    let (mut ring, fake) = ring();
    fake.script(|s| s.kinds.insert(number, made_up));
    let key = read(&mut ring, number, 0);
    settle(&mut ring);
    assert_eq!((offset(fake.works(key)[0]), file.stream_position().unwrap()), (0, 0));
    completes(&mut ring, &fake, key, 5);
    assert_eq!(file.stream_position().unwrap(), 5);

    set_flags(number, libc::O_APPEND);
    for (kind, after) in [(FileKind::Local, 1000), (FileKind::Block, 1000), (made_up, 5)] {
        let (mut ring, fake) = super::fake_tests::ring();
        fake.script(|s| s.kinds.insert(number, kind));
        file.seek(SeekFrom::Start(5)).unwrap();
        let failing = write(&mut ring, number, 0);
        settle(&mut ring);
        completes(&mut ring, &fake, failing, -libc::ENOSPC);
        assert_eq!(file.stream_position().unwrap(), 5, "{kind:?}: nothing came");
        let key = write(&mut ring, number, 0);
        settle(&mut ring);
        assert_eq!(offset(fake.works(key)[0]), CURRENT_POSITION, "{kind:?}");
        completes(&mut ring, &fake, key, 8);
        assert_eq!(file.stream_position().unwrap(), after, "{kind:?}: at the end, or the kernel's");
        // A read of such a file is not appended.
        let key = read(&mut ring, number, 0);
        settle(&mut ring);
        assert_eq!(offset(fake.works(key)[0]), after, "{kind:?}");
        completes(&mut ring, &fake, key, 0);
    }
}

// Closes.

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

//! Operations that wait for a file to be ready, or for time.

use super::environment::release;
use super::ours::{self, cancelled, extra, readv, write, writev, TestRing};
use super::raw::{leaked, Raw};
use super::row::{code, row, words, Known, ARMED, ASYNCHRONOUS};
use super::sources::{empty, full, pipe, set_nonblocking, Source};
use io_uring::squeue::Entry;
use io_uring::{opcode, types};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use uring_safe_cancel::operation::{Poll, Sleep, CURRENT_POSITION};
use uring_safe_cancel::{Operation, Verdict};

const NO_PAUSE: Duration = Duration::ZERO;
/// Long enough for a worker of the kernel to have armed what it waits for. Where it was not, the row has another
/// answer, and holds nonetheless.
const ARMING: Duration = Duration::from_millis(10);

/// One row, by both sides, plain and asynchronous: it waits, and its cancel ends it.
#[track_caller]
fn ends_by_cancel(
    name: &str,
    entry: impl Fn() -> Entry,
    operation: impl Fn(&TestRing) -> Operation,
) {
    for asynchronous in [false, true] {
        let mode = if asynchronous { "async" } else { "plain" };
        let name = format!("{name}, {mode}");
        let mut raw = Raw::new();
        let tag = raw.submit(entry(), asynchronous);
        std::thread::sleep(if asynchronous { ARMING } else { NO_PAUSE });
        let early = raw.result(tag, NO_PAUSE);
        // Of kernels before 5.19 it is known that they may not wait for a descriptor that does not block.
        let may_refuse = name.contains("O_NONBLOCK") && release() < (5, 19);
        let is_refused = may_refuse && early == Some(-libc::EAGAIN);
        assert!(early.is_none() || is_refused, "{name}: it should wait, but {early:?}");
        let fate = (!is_refused).then(|| raw.end(tag));

        let mut ring = ours::ring();
        let pause = if asynchronous { ARMING } else { NO_PAUSE };
        let operation = operation(&ring);
        let ours = cancelled(&mut ring, operation, extra(asynchronous), pause);
        let (known, exactly) = match asynchronous {
            false => (&ARMED, Some((0, -libc::ECANCELED))),
            true => (&ASYNCHRONOUS, None),
        };
        match fate {
            Some(fate) => row(&name, &fate, known, exactly, &words(&ours)),
            None => println!("row: {name}; kernel: - -> -EAGAIN; library: {}", words(&ours)),
        }
        assert_eq!(ours.completion.verdict, Verdict::Cancelled, "{name}: the library waits");
        assert!(ours.completion.cancel_asked && !ours.completion.timed_out);
        assert!(ours.completion.attempts >= 1);
        assert_eq!(ours.answers.other, 0, "{name}");
        if !asynchronous {
            // A second one may follow where the machine paused.
            assert!(ours.answers.found >= 1, "{name}: {:?}", ours.answers);
        }
    }
}

fn fd(source: &Source) -> types::Fd {
    types::Fd(source.file.as_raw_fd())
}

#[test]
fn reads_that_wait() {
    for nonblocking in [false, true] {
        for source in empty() {
            set_nonblocking(&source.file, nonblocking);
            let kind = if nonblocking { "O_NONBLOCK " } else { "" };
            ends_by_cancel(
                &format!("read, {kind}{}", source.name),
                || {
                    let buffer = leaked(source.length);
                    let read =
                        opcode::Read::new(fd(&source), buffer.as_mut_ptr(), buffer.len() as u32);
                    read.offset(CURRENT_POSITION).build()
                },
                |ring| ours::read(ring, &source.file, source.length, CURRENT_POSITION).into(),
            );
        }
    }
}

#[test]
fn writes_that_wait() {
    for source in full() {
        let mut bytes = vec![0; source.length];
        bytes[0] = 1;
        ends_by_cancel(
            &format!("write, {}", source.name),
            || {
                let buffer = leaked(source.length);
                buffer.copy_from_slice(&bytes);
                let write = opcode::Write::new(fd(&source), buffer.as_ptr(), buffer.len() as u32);
                write.offset(CURRENT_POSITION).build()
            },
            |ring| write(ring, &source.file, &bytes, CURRENT_POSITION).into(),
        );
    }
}

fn vectors(length: usize, byte: u8) -> (&'static mut [u8], u32) {
    let parts = [leaked(length / 2), leaked(length - length / 2)];
    let array = leaked(2 * size_of::<libc::iovec>());
    for (index, part) in parts.into_iter().enumerate() {
        part.fill(byte);
        let vector = libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() };
        // SAFETY: the array is page-aligned, has room for two, and nobody else knows it.
        unsafe { array.as_mut_ptr().cast::<libc::iovec>().add(index).write(vector) };
    }
    (array, 2)
}

#[test]
fn vectored_operations_that_wait() {
    for source in
        empty().into_iter().filter(|source| !matches!(source.name, "signalfd" | "inotify"))
    {
        // Those two fill the parts one by one, and a part of an event has no meaning.
        let length = source.length.max(16);
        ends_by_cancel(
            &format!("readv, {}", source.name),
            || {
                let (array, count) = vectors(length, 0);
                let read = opcode::Readv::new(fd(&source), array.as_ptr().cast(), count);
                read.offset(CURRENT_POSITION).build()
            },
            |ring| readv(ring, &source.file, length, CURRENT_POSITION).into(),
        );
    }
    for source in full() {
        let length = source.length.max(16);
        ends_by_cancel(
            &format!("writev, {}", source.name),
            || {
                let (array, count) = vectors(length, 1);
                let write = opcode::Writev::new(fd(&source), array.as_ptr().cast(), count);
                write.offset(CURRENT_POSITION).build()
            },
            |ring| {
                let bytes = vec![1; length];
                writev(ring, &source.file, &bytes, CURRENT_POSITION).into()
            },
        );
    }
}

#[test]
fn polls_that_wait() {
    let sources = empty().into_iter().map(|source| (source, libc::POLLIN));
    let all = sources.chain(full().into_iter().map(|source| (source, libc::POLLOUT)));
    for (source, events) in all {
        let events = events as u32;
        ends_by_cancel(
            &format!("poll, {}", source.name),
            || opcode::PollAdd::new(fd(&source), events).build(),
            |_| Poll { descriptor: ours::borrowed(&source.file), events }.into(),
        );
    }
}

#[test]
fn sleeps() {
    const LONG: Duration = Duration::from_secs(3600);
    ends_by_cancel(
        "sleep, -",
        || {
            let time = leaked(size_of::<types::Timespec>()).as_mut_ptr().cast::<types::Timespec>();
            // SAFETY: the memory is page-aligned, has room for it, and nobody else knows it.
            unsafe { time.write(types::Timespec::new().sec(LONG.as_secs())) };
            opcode::Timeout::new(time).build()
        },
        |ring| Sleep::new(ring.arena(), LONG).unwrap().into(),
    );
}

/// The lost cancel: the worker has tested its flag, and arms a poll afterwards.
#[test]
fn a_cancel_that_meets_a_running_worker_may_be_lost_and_the_library_makes_up_for_it() {
    const ROUNDS: u32 = 300_000;
    // Both sides share the time of one test; a kernel that has mended the fault uses it up.
    const TIME: Duration = Duration::from_secs(4);
    let (reader, _writer) = pipe();
    let spin = |round: u32| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_nanos(u64::from(round) * 7919 % 30_000) {}
    };
    let mut raw = Raw::new();
    let buffer = leaked(64);
    let (mut rounds, mut already, mut lost) = (0, 0, 0);
    let begun = Instant::now();
    while rounds < ROUNDS && lost < 3 && begun.elapsed() < TIME {
        rounds += 1;
        let read =
            opcode::Read::new(types::Fd(reader.as_raw_fd()), buffer.as_mut_ptr(), 64).build();
        let tag = raw.submit(read, true);
        spin(rounds);
        let fate = raw.end(tag);
        already += usize::from(fate.answers[0] == -libc::EALREADY);
        lost += usize::from(fate.answers.len() > 1);
        for answer in &fate.answers {
            assert!(ASYNCHRONOUS.answers.contains(answer), "answered {}", code(*answer));
        }
        assert!(ASYNCHRONOUS.results.contains(&fate.result), "ended with {}", code(fate.result));
    }
    let mut ring = ours::ring();
    let mut ours_rounds = 0;
    let begun = Instant::now();
    while ours_rounds < ROUNDS && ring.stats().rescued < 3 && begun.elapsed() < TIME {
        ours_rounds += 1;
        let operation = ours::read(&ring, &reader, 64, CURRENT_POSITION);
        let key = ours::submit(&mut ring, operation, ours::ASYNCHRONOUS, 0);
        ours::flush_idle(&mut ring);
        spin(ours_rounds);
        assert!(ring.cancel(key));
        let done = ours::drain(&mut ring);
        assert_eq!(done.len(), 1);
        assert_eq!(done[0].verdict, Verdict::Cancelled);
    }
    let stats = ring.stats();
    println!(
        "row: read, pipe, async before it is armed; kernel: {already} -EALREADY and {lost} lost of {rounds}; \
         library: {ours_rounds} cancelled, {} rescued, at most {} cancels, answered {:?}",
        stats.rescued, stats.max_attempts, stats.answers
    );
    assert_eq!((stats.completed, stats.in_flight), (u64::from(ours_rounds), 0));
}

/// Of 5.10 it is known that a worker answers -EAGAIN for a descriptor that does not block.
#[test]
fn nonblocking_descriptors_wait() {
    for source in empty().into_iter().filter(|source| source.peer.is_some() && source.name != "pty")
    {
        set_nonblocking(&source.file, true);
        let mut raw = Raw::new();
        let buffer = leaked(source.length);
        let read = opcode::Read::new(fd(&source), buffer.as_mut_ptr(), buffer.len() as u32).build();
        let tag = raw.submit(read, true);
        let early = raw.result(tag, ARMING);

        let mut ring = ours::ring();
        let operation = ours::read(&ring, &source.file, source.length, CURRENT_POSITION);
        ours::submit(&mut ring, operation, ours::ASYNCHRONOUS, 1);
        let ended = ours::next_within(&mut ring, ARMING);
        assert!(ended.is_none(), "{}: it waits, on every kernel: {ended:?}", source.name);
        if early.is_none() {
            let fate = raw.end(tag);
            assert!(ASYNCHRONOUS.results.contains(&fate.result), "{fate:?}");
        }

        let peer = source.peer.as_ref().unwrap();
        // SAFETY: the pointer is to five bytes that outlive the call.
        assert_eq!(unsafe { libc::write(peer.as_raw_fd(), c"hello".as_ptr().cast(), 5) }, 5);
        let done = ours::drain(&mut ring);
        assert_eq!(ours::bytes(&done[0]), b"hello");
        let seen = early.map_or("waits".to_owned(), code);
        println!(
            "row: read, O_NONBLOCK {}, async; kernel: {seen}; library: waits, then completed 5",
            source.name
        );
        assert!(matches!(early, None | Some(-11)), "{}: {seen}", source.name);
        if release() == (6, 18) {
            assert_eq!(early, None, "{}: 6.18 waits", source.name);
        }
    }
}

/// `MSG_WAITALL` has no counterpart here: a read that got a part of its bytes is over.
#[test]
fn a_read_that_got_a_part_is_complete_and_its_cancel_comes_too_late() {
    let known = Known { answers: &[-libc::ENOENT], results: &[3] };
    for source in empty().into_iter().filter(|source| source.peer.is_some() && source.name != "pty")
    {
        let write = || {
            let peer = source.peer.as_ref().unwrap().as_raw_fd();
            // SAFETY: the pointer is to three bytes that outlive the call.
            assert_eq!(unsafe { libc::write(peer, c"abc".as_ptr().cast(), 3) }, 3);
        };
        let mut raw = Raw::new();
        let buffer = leaked(source.length);
        let read = opcode::Read::new(fd(&source), buffer.as_mut_ptr(), buffer.len() as u32).build();
        let tag = raw.submit(read, false);
        write();
        assert_eq!(raw.result(tag, super::raw::PATIENCE), Some(3));
        let fate = raw.end(tag);

        let mut ring = ours::ring();
        let operation = ours::read(&ring, &source.file, source.length, CURRENT_POSITION);
        let key = ours::submit(&mut ring, operation, ours::PLAIN, 7);
        ours::flush_idle(&mut ring);
        write();
        ring.cancel(key);
        let done = ours::drain(&mut ring);
        let verdict = done[0].verdict;
        let name = format!("read, {} with a part of the bytes, plain", source.name);
        row(&name, &fate, &known, None, &format!("{verdict:?}"));
        // The bytes were there before the cancel was asked for. The kernel may cancel nonetheless, and then they
        // are still there.
        match verdict {
            Verdict::Completed(3) => assert_eq!(ours::bytes(&done[0]), b"abc"),
            Verdict::Cancelled => {
                let again = ours::read(&ring, &source.file, source.length, CURRENT_POSITION);
                ours::submit(&mut ring, again, ours::PLAIN, 8);
                assert_eq!(ours::bytes(&ours::drain(&mut ring)[0]), b"abc");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

//! Regular files: what no cancel stops is delivered whole, and what waits behind it can be cancelled.

use super::environment::{file, lacks, pattern, DISK};
use super::ours::{self, extra, TestRing};
use super::raw::{leaked, Fate, Raw, PATIENCE};
use super::row::{row, Known};
use io_uring::squeue::Flags;
use io_uring::{opcode, types};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use uring_safe_cancel::operation::{Nop, Sync};
use uring_safe_cancel::ring::Answers;
use uring_safe_cancel::{Completion, Verdict};

/// Takes the device some ten milliseconds: a cancel finds it on the way.
const LENGTH: usize = 16 << 20;
/// A fast device may be done before its cancel; so many times in a row it is not.
const ATTEMPTS: u32 = 200;
/// How often a row wants to be hit.
const HITS: u32 = 2;

/// What a read of a file on a disk may answer to a cancel while it runs, and how it ends: with all of it, or, if a
/// worker had not begun, with nothing.
const RUNNING: Known = Known {
    answers: &[-libc::ENOENT, -libc::EALREADY, 0],
    results: &[LENGTH as i32, -libc::ECANCELED],
};

fn evict(file: &File) {
    // SAFETY: the call takes integers.
    let error = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(error, 0);
}

/// Later with each round, so that some cancel comes after a worker of the kernel has begun, also where that takes
/// longer.
fn pause(round: u32) {
    std::thread::sleep(Duration::from_micros(200) * (round % 50));
}

/// The kernel's side: reads until a result came after the answer to its cancel, often enough.
fn raw_reads(
    file: &File,
    asynchronous: bool,
    prepare: impl Fn(),
    expected: &[u8],
) -> (Fate, u32, u32) {
    let buffer = leaked(LENGTH);
    let (mut hits, mut rounds, mut seen) = (0, 0, None);
    while hits < HITS && rounds < ATTEMPTS {
        rounds += 1;
        prepare();
        let mut raw = Raw::new();
        let fd = types::Fd(file.as_raw_fd());
        let read = opcode::Read::new(fd, buffer.as_mut_ptr(), LENGTH as u32).build();
        let tag = raw.submit(read, asynchronous);
        pause(rounds);
        let answer = raw.cancel(tag);
        let is_hit = !raw.is_done(tag);
        let result = raw.result(tag, PATIENCE).expect("it ends by itself");
        let fate = Fate { answers: vec![answer], result };
        if result >= 0 {
            assert!(buffer[..result as usize] == expected[..result as usize], "its data: {fate:?}");
        }
        if is_hit {
            hits += 1;
            seen = Some(fate);
        }
    }
    (seen.expect("a cancel that met a read on its way"), hits, rounds)
}

/// The library's: the same, and each read settles with its data, or with nothing of it.
fn our_reads(
    file: &File,
    asynchronous: bool,
    prepare: impl Fn(),
    expected: &[u8],
) -> (String, u32) {
    let (mut hits, mut rounds, mut verdicts) = (0, 0, [0; 2]);
    let mut ring = ours::ring();
    while hits < HITS && rounds < ATTEMPTS {
        rounds += 1;
        prepare();
        let before = ring.stats();
        let read = ours::read(&ring, file, LENGTH, 0);
        let key = ours::submit(&mut ring, read, extra(asynchronous), 1);
        let mut done = Vec::new();
        ring.flush(usize::MAX, &mut |completion| done.push(completion));
        pause(rounds);
        ring.cancel(key);
        done.extend(ours::drain(&mut ring));
        assert_eq!(done.len(), 1);
        match done[0].verdict {
            Verdict::Completed(count) => {
                verdicts[0] += 1;
                assert_eq!(count as usize, LENGTH, "a read of a file is not cut short by a cancel");
                assert!(ours::bytes(&done[0]) == expected, "its data");
                // It was asked for more than once while it was on its way.
                hits += u32::from(ring.stats().reissues > before.reissues);
            }
            Verdict::Cancelled => verdicts[1] += 1,
            other => panic!("{other:?}"),
        }
    }
    let stats = ring.stats();
    let [completed, cancelled] = verdicts;
    let words = format!(
        "{completed} completed with data ({hits} of them in spite of several cancels) and {cancelled} \
         cancelled, at most {} cancels, {:?}",
        stats.max_attempts, stats.answers
    );
    (words, hits)
}

fn reads(name: &str, flags: i32, asynchronous: bool, is_cold: bool) {
    if lacks(DISK) {
        return;
    }
    let file = file(LENGTH, flags);
    let expected = pattern(0, LENGTH);
    let prepare = || {
        if is_cold {
            evict(&file);
        }
    };
    let (fate, hits, rounds) = raw_reads(&file, asynchronous, prepare, &expected);
    let (words, our_hits) = our_reads(&file, asynchronous, prepare, &expected);
    row(&format!("{name} ({hits} of {rounds} met on the way)"), &fate, &RUNNING, None, &words);
    assert!(our_hits > 0, "no cancel met a read on the way: the test proves nothing");
}

#[test]
fn direct_reads_cancelled_mid_flight_settle_with_their_data() {
    let direct = libc::O_DIRECT;
    reads("read, O_DIRECT file, plain", direct, false, false);
    reads("read, O_DIRECT file, async", direct, true, false);
}

#[test]
fn cold_buffered_reads_cancelled_mid_flight_settle_with_their_data() {
    reads("read, cold file, plain", 0, false, true);
    reads("read, cold file, async", 0, true, true);
}

#[test]
fn vectored_and_small_direct_reads_settle_with_their_data() {
    if lacks(DISK) {
        return;
    }
    let file = file(1 << 20, libc::O_DIRECT);
    let mut ring = ours::ring();
    for round in 0..64usize {
        let offset = round * 16_384;
        let read = ours::readv(&ring, &file, 16_384, offset as u64);
        let key = ours::submit(&mut ring, read, extra(round % 2 == 1), round);
        if round % 4 >= 2 {
            let mut early = Vec::new();
            ring.flush(usize::MAX, &mut |completion| early.push(completion));
            if early.iter().any(|completion| completion.key == key) {
                early.into_iter().for_each(|completion| check(&completion));
                continue;
            }
            early.into_iter().for_each(|completion| check(&completion));
        }
        ring.cancel(key);
    }
    ours::drain(&mut ring).iter().for_each(check);

    fn check(completion: &Completion<usize>) {
        if completion.verdict != Verdict::Cancelled {
            assert!(ours::bytes(completion) == pattern(completion.client * 16_384, 16_384));
        }
    }
    assert_eq!(ring.stats().completed, 64);
}

/// What a file holds where a test wrote.
fn content(file: &File, offset: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset as u64).unwrap();
    bytes
}

const WRITES: usize = 6;
const EACH: usize = 8 << 20;

/// What became of writes on one file, cancelled from the last to the first, which is the order of these fates.
fn raw_writes(bytes: &'static [u8]) -> Vec<Fate> {
    let target = file(0, 0);
    let mut raw = Raw::new();
    let fd = types::Fd(target.as_raw_fd());
    let tags: Vec<u64> = (0..WRITES)
        .map(|index| {
            let write = opcode::Write::new(fd, bytes.as_ptr(), EACH as u32);
            raw.queue(write.offset((index * EACH) as u64).build(), Flags::ASYNC)
        })
        .collect();
    raw.enter();
    tags.iter().rev().map(|&tag| raw.cancel_once(tag)).collect()
}

/// The same by the library: how many were cancelled, of which nothing may be written.
fn our_writes(bytes: &[u8]) -> (usize, Answers) {
    let target = file(0, 0);
    target.set_len((WRITES * EACH) as u64).unwrap();
    let mut ring = ours::ring();
    let keys: Vec<_> = (0..WRITES)
        .map(|index| {
            let write = ours::write(&ring, &target, bytes, (index * EACH) as u64);
            ours::submit(&mut ring, write, ours::ASYNCHRONOUS, index)
        })
        .collect();
    let mut done = Vec::new();
    ring.flush(usize::MAX, &mut |completion| done.push(completion));
    keys.iter().rev().for_each(|&key| {
        ring.cancel(key);
    });
    done.extend(ours::drain(&mut ring));
    assert_eq!(done.len(), WRITES);
    let mut cancelled = 0;
    for completion in &done {
        let written = content(&target, completion.client * EACH, EACH);
        match completion.verdict {
            Verdict::Completed(count) if count as usize == EACH => assert!(written == bytes),
            Verdict::Cancelled => {
                cancelled += 1;
                assert!(written == vec![0; EACH], "nothing of it was written");
            }
            other => panic!("{other:?}"),
        }
    }
    (cancelled, ring.stats().answers)
}

/// Buffered writes to one inode run one at a time in a worker: a cancel of one that waits for its turn ends it, and
/// nothing of it is written; one that runs is finished.
#[test]
fn of_writes_on_one_file_those_that_wait_are_cancelled_and_what_runs_is_written() {
    if lacks(DISK) {
        return;
    }
    let known = Known {
        answers: &[0, -libc::EALREADY, -libc::ENOENT],
        results: &[EACH as i32, -libc::ECANCELED],
    };
    let bytes = leaked(EACH);
    bytes.fill(b'w');
    let bytes: &'static [u8] = bytes;
    // All may be written, or all cancelled, before the other side has begun.
    let (mut waiting, mut written, mut cancelled) = (0, 0, 0);
    for _ in 0..ATTEMPTS {
        let fates = raw_writes(bytes);
        let (ours_cancelled, answers) = our_writes(bytes);
        cancelled += ours_cancelled;
        let words = format!("{ours_cancelled} of {WRITES} cancelled, {answers:?}");
        for (index, fate) in fates.iter().enumerate() {
            let behind = WRITES - 1 - index;
            row(&format!("write, file, async behind {behind} others"), fate, &known, None, &words);
            waiting += usize::from(fate.answers == [0] && fate.result == -libc::ECANCELED);
            written += usize::from(fate.result > 0);
        }
        if waiting > 0 && written > 0 && cancelled > 0 {
            return;
        }
    }
    panic!("{waiting} cancelled and {written} written by the kernel, {cancelled} cancelled by the library");
}

/// fsync cannot be interrupted: its cancel answers that it runs, and it ends with 0.
#[test]
fn a_sync_ends_as_it_would_without_its_cancel() {
    if lacks(DISK) {
        return;
    }
    let known =
        Known { answers: &[-libc::EALREADY, -libc::ENOENT, 0], results: &[0, -libc::ECANCELED] };
    for data_only in [false, true] {
        let name = if data_only { "fdatasync" } else { "fsync" };
        let target = file(0, 0);
        let content = pattern(0, 16 << 20);
        let dirty = || target.write_all_at(&content, 0).unwrap();
        let flags =
            if data_only { types::FsyncFlags::DATASYNC } else { types::FsyncFlags::empty() };
        let (mut fate, mut hits) = (None, 0);
        for _ in 0..5 {
            dirty();
            let mut raw = Raw::new();
            let sync = opcode::Fsync::new(types::Fd(target.as_raw_fd())).flags(flags).build();
            let tag = raw.submit(sync, false);
            std::thread::sleep(Duration::from_millis(2));
            let seen = raw.cancel_once(tag);
            hits += u32::from(seen.answers == [-libc::EALREADY]);
            fate = Some(seen);
        }
        let mut ring = ours::ring();
        let mut words = String::new();
        for _ in 0..5 {
            dirty();
            let ours = ours::cancelled(
                &mut ring,
                Sync { descriptor: ours::borrowed(&target), data_only },
                ours::PLAIN,
                Duration::from_millis(2),
            );
            let verdict = ours.completion.verdict;
            assert!(matches!(verdict, Verdict::Completed(0) | Verdict::Cancelled), "{verdict:?}");
            words = super::row::words(&ours);
        }
        row(
            &format!("{name}, file ({hits} of 5 running), plain"),
            &fate.unwrap(),
            &known,
            None,
            &words,
        );
    }
}

/// A nop is over before its cancel can be asked for.
#[test]
fn a_nop_is_not_found() {
    let known = Known { answers: &[-libc::ENOENT], results: &[0] };
    let mut raw = Raw::new();
    let tag = raw.submit(opcode::Nop::new().build(), false);
    let fate = raw.end(tag);
    let mut ring = ours::ring();
    let ours = ours::cancelled(&mut ring, Nop, ours::PLAIN, Duration::ZERO);
    row("nop, -, plain", &fate, &known, Some((-libc::ENOENT, 0)), &super::row::words(&ours));
    assert_eq!(ours.completion.verdict, Verdict::Completed(0));
    // In one batch with its cancel it is not found either.
    let mut ring: TestRing = ours::ring();
    let key = ours::submit(&mut ring, Nop, ours::PLAIN, 1);
    ring.cancel(key);
    assert_eq!(ours::drain(&mut ring)[0].verdict, Verdict::Completed(0));
}

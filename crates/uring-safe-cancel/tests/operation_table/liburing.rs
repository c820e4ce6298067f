//! Claims of liburing's own tests, made of the library. docs/liburing.md says which is which.

use super::environment::{file, lacks, pattern, DISK};
use super::ours::{self, drain, ring_with};
use super::raw::PATIENCE;
use super::sources::{eventfd, pipe};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use uring_safe_cancel::operation::{Nop, Poll, Sleep, CURRENT_POSITION};
use uring_safe_cancel::{Extra, Options, Verdict};

const BLOCK: usize = 4096;
const BLOCKS: usize = 32;

/// io-cancel: cancelling one half of many O_DIRECT reads or writes leaves the other half whole.
#[test]
fn io_cancel_one_half_leaves_the_other_whole() {
    if lacks(DISK) {
        return;
    }
    for (is_write, asynchronous) in [(false, false), (false, true), (true, false), (true, true)] {
        let target = file(BLOCKS * BLOCK, libc::O_DIRECT);
        let mut ring = ours::ring();
        let extra = ours::extra(asynchronous);
        let mut keys = Vec::new();
        for block in 0..BLOCKS {
            let offset = (block * BLOCK) as u64;
            let key = if is_write {
                let write = ours::write(&ring, &target, &[b'w'; BLOCK], offset);
                ours::submit(&mut ring, write, extra, block)
            } else {
                let read = ours::readv(&ring, &target, 2 * BLOCK, offset);
                ours::submit(&mut ring, read, extra, block)
            };
            keys.push(key);
        }
        let mut done = Vec::new();
        ring.flush(usize::MAX, &mut |completion| done.push(completion));
        keys.iter().step_by(2).for_each(|&key| {
            ring.cancel(key);
        });
        done.extend(drain(&mut ring));
        assert_eq!(done.len(), BLOCKS);
        let mut cancelled = 0;
        for completion in &done {
            let offset = completion.client * BLOCK;
            match completion.verdict {
                Verdict::Cancelled => {
                    assert_eq!(completion.client % 2, 0, "nobody asked for it");
                    cancelled += 1;
                }
                Verdict::Completed(count) if is_write => {
                    assert_eq!(count as usize, BLOCK);
                    let memory = ours::memory(&ring, &[0; BLOCK]);
                    // SAFETY: the memory is new, ours, and as long.
                    let bytes =
                        unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr(), BLOCK) };
                    target.read_exact_at(bytes, offset as u64).unwrap();
                    assert!(bytes.iter().all(|&byte| byte == b'w'));
                }
                Verdict::Completed(count) => {
                    let length = (2 * BLOCK).min(BLOCKS * BLOCK - offset);
                    assert_eq!(count as usize, length);
                    assert!(ours::bytes(completion) == pattern(offset, length));
                }
                other => panic!("{other:?}"),
            }
        }
        println!(
            "io-cancel, write {is_write}, async {asynchronous}: {cancelled} of {} cancelled",
            BLOCKS / 2
        );
    }
}

/// cancel-race: a poll, or a read, whose cancel is submitted with it settles once.
#[test]
fn cancel_race_an_operation_and_its_cancel_in_one_batch() {
    const ROUNDS: usize = 10_000;
    let (reader, _writer) = pipe();
    super::sources::set_nonblocking(&reader, true);
    let mut ring = ours::ring();
    for round in 0..ROUNDS {
        let extra = ours::extra(round % 4 == 3);
        let key = if round % 2 == 0 {
            let poll = Poll { descriptor: ours::borrowed(&reader), events: libc::POLLIN as u32 };
            ours::submit(&mut ring, poll, extra, round)
        } else {
            let read = ours::read(&ring, &reader, 32, CURRENT_POSITION);
            ours::submit(&mut ring, read, extra, round)
        };
        assert!(ring.cancel(key));
        let done = drain(&mut ring);
        assert_eq!(done.len(), 1);
        assert_eq!((done[0].client, done[0].verdict), (round, Verdict::Cancelled));
    }
    println!("cancel-race: {:?}", ring.stats());
}

/// poll-cancel-ton: 30,000 polls of one file, cancelled in any order, in batches.
#[test]
fn poll_cancel_ton_of_polls() {
    const POLLS: usize = 30_000;
    let (reader, _writer) = pipe();
    let mut ring = ring_with(Options { entries: 1024, completions: 16_384, ..Options::default() });
    let mut keys = Vec::new();
    for client in 0..POLLS {
        let poll = Poll { descriptor: ours::borrowed(&reader), events: libc::POLLIN as u32 };
        keys.push(ours::submit(&mut ring, poll, ours::PLAIN, client));
    }
    ours::flush_idle(&mut ring);
    let in_flight = ring.stats().in_flight;
    assert!(in_flight > 8_000 && ring.stats().queued > 8_000, "{:?}", ring.stats());
    // A permutation: 7919 has no divisor in common with 30,000.
    let mut settled = vec![0; POLLS];
    for batch in 0..30 {
        for index in 0..1000 {
            assert!(ring.cancel(keys[(batch * 1000 + index) * 7919 % POLLS]));
        }
        ring.flush(usize::MAX, &mut |done| {
            assert_eq!(done.verdict, Verdict::Cancelled);
            settled[done.client] += 1;
        });
    }
    for completion in drain(&mut ring) {
        settled[completion.client] += 1;
    }
    assert!(settled.iter().all(|&count| count == 1));
}

/// cancel-fd-userdata, poll-cancel-all: of several operations on two files, those that are meant and no others.
#[test]
fn cancel_by_descriptor_or_by_operation_ends_only_what_is_meant() {
    let (one, other) = (pipe(), pipe());
    let mut ring = ours::ring();
    let mut keys = Vec::new();
    for client in 0..8 {
        let file = if client % 2 == 0 { &one.0 } else { &other.0 };
        let poll = Poll { descriptor: ours::borrowed(file), events: libc::POLLIN as u32 };
        keys.push(ours::submit(&mut ring, poll, ours::extra(client >= 4), client));
    }
    ours::flush_idle(&mut ring);
    ring.cancel(keys[2]);
    let done = ours::next_within(&mut ring, PATIENCE).unwrap();
    assert_eq!((done.client, done.verdict), (2, Verdict::Cancelled));
    assert_eq!(ring.cancel_descriptor(one.0.as_raw_fd()), 3);
    let mut ended: Vec<_> =
        (0..3).map(|_| ours::next_within(&mut ring, PATIENCE).unwrap().client).collect();
    ended.sort_unstable();
    assert_eq!(ended, [0, 4, 6]);
    assert!(ours::next_within(&mut ring, Duration::from_millis(20)).is_none());
    std::fs::File::from(other.1.try_clone().unwrap()).write_all(b"x").unwrap();
    let done = drain(&mut ring);
    assert_eq!(done.iter().map(|done| done.client).collect::<Vec<_>>(), [1, 3, 5, 7]);
    assert!(done.iter().all(|done| done.verdict == Verdict::Completed(i32::from(libc::POLLIN))));
    assert_eq!(ring.cancel_descriptor(other.0.as_raw_fd()), 0, "nothing is left");
}

/// timeout: no sleep ends before its time, one that is cancelled does not wait for it, and one that is over is not
/// found. (In which order several end that are due at once, kernels do not agree.)
#[test]
fn timeout_sleeps_end_in_time() {
    const TIMES: [u64; 5] = [60, 20, 40, 0, 3_600_000];
    let mut ring = ours::ring();
    let begun = Instant::now();
    let mut keys = Vec::new();
    for (client, time) in TIMES.into_iter().enumerate() {
        let sleep = Sleep::new(ring.arena(), Duration::from_millis(time)).unwrap();
        keys.push(ours::submit(&mut ring, sleep, ours::PLAIN, client));
    }
    let mut ended = Vec::new();
    while ring.pending() > 1 {
        ring.flush_and_wait(&mut |done| {
            assert_eq!(done.verdict, Verdict::Completed(0));
            assert!(begun.elapsed() >= Duration::from_millis(TIMES[done.client]));
            ended.push(done.client);
        });
    }
    ended.sort_unstable();
    assert_eq!(ended, [0, 1, 2, 3]);
    assert!(!ring.cancel(keys[3]), "it is over");
    assert!(ring.cancel(keys[4]));
    assert_eq!(drain(&mut ring)[0].verdict, Verdict::Cancelled);
}

/// link-timeout: a read that waits is ended by its timeout, one that is ready by its data, and a timeout that comes
/// later than its operation hits nobody.
#[test]
fn link_timeout_by_our_own_timeouts() {
    let (reader, writer) = pipe();
    let mut writer = std::fs::File::from(writer);
    let short = Extra { timeout: Some(Duration::from_millis(10)), ..ours::PLAIN };
    let mut slot = None;
    let mut ring = ours::ring();
    let read = ours::read(&ring, &reader, 8, CURRENT_POSITION);
    ours::submit(&mut ring, read, short, 0);
    let done = drain(&mut ring);
    assert_eq!((done[0].verdict, done[0].timed_out), (Verdict::Cancelled, true));

    // With data that comes before its timeout, which a machine that pauses may not manage at first.
    let time = (4..14).map(|power| Duration::from_millis(1 << power)).find(|&time| {
        let read = ours::read(&ring, &reader, 1, CURRENT_POSITION);
        let extra = Extra { timeout: Some(time), ..ours::PLAIN };
        let key = ours::submit(&mut ring, read, extra, 1);
        let mut done = Vec::new();
        ring.flush(usize::MAX, &mut |completion| done.push(completion));
        writer.write_all(b"x").unwrap();
        done.extend(drain(&mut ring));
        if done[0].verdict == Verdict::Cancelled {
            assert!(done[0].timed_out);
            let read = ours::read(&ring, &reader, 1, CURRENT_POSITION);
            ours::submit(&mut ring, read, ours::PLAIN, 1);
            drain(&mut ring);
            return false;
        }
        assert_eq!((done[0].verdict, done[0].timed_out), (Verdict::Completed(1), false));
        slot = Some(key.slot());
        true
    });
    let time = time.expect("data before a timeout of eight seconds");
    // In the same slot, until long after that timeout.
    let read = ours::read(&ring, &reader, 1, CURRENT_POSITION);
    let key = ours::submit(&mut ring, read, ours::PLAIN, 3);
    assert_eq!(slot, Some(key.slot()));
    assert!(ours::next_within(&mut ring, 3 * time).is_none(), "somebody else's timeout");
    writer.write_all(b"y").unwrap();
    assert_eq!(drain(&mut ring)[0].verdict, Verdict::Completed(1));

    ours::submit(&mut ring, Nop, short, 2);
    assert_eq!(drain(&mut ring)[0].verdict, Verdict::Completed(0));

    // A timeout in a timeout, and asynchronous ones.
    for client in 0..32 {
        let sleep = Sleep::new(ring.arena(), Duration::from_secs(3600)).unwrap();
        let extra = Extra { asynchronous: client % 2 == 0, ..short };
        ours::submit(&mut ring, sleep, extra, client);
    }
    assert!(drain(&mut ring)
        .iter()
        .all(|done| done.verdict == Verdict::Cancelled && done.timed_out));
}

/// poll-race: many reads of one socket do not stall, however wake-ups race with its readiness.
#[test]
fn poll_race_reads_of_one_socket_do_not_stall() {
    const READS: usize = 64;
    const ROUNDS: usize = 100;
    let mut ring = ours::ring();
    for round in 0..ROUNDS {
        let (here, there) = UnixStream::pair().unwrap();
        let writer = std::thread::spawn(move || {
            let mut there = there;
            for _ in 0..READS {
                there.write_all(&[7; 64]).unwrap();
            }
            there
        });
        for client in 0..READS {
            let read = ours::read(&ring, &here, 64, CURRENT_POSITION);
            ours::submit(&mut ring, read, ours::extra(round % 4 == 0), client);
        }
        let done = drain(&mut ring);
        assert_eq!(done.len(), READS);
        assert!(done.iter().all(|done| ours::bytes(done) == [7; 64]));
        drop(writer.join().unwrap());
    }
}

/// read-before-exit: a thread ends right after it has submitted, with its ring or without it.
#[test]
fn read_before_exit_threads_end_with_reads_in_flight() {
    const ROUNDS: usize = 100;
    for round in 0..ROUNDS {
        std::thread::spawn(move || {
            let event = eventfd(0);
            let mut ring = ours::ring();
            for client in 0..2 {
                let read = ours::read(&ring, &event, 8, CURRENT_POSITION);
                ours::submit(&mut ring, read, ours::extra(round % 3 == 0), client);
            }
            ours::flush_idle(&mut ring);
            if round % 2 == 0 {
                std::mem::forget(ring);
            }
        })
        .join()
        .unwrap();
    }
}

/// poll-cancel: a poll behind whose descriptor another ring lies, which is polled in turn, can be cancelled.
#[test]
fn poll_cancel_of_rings_that_poll_each_other() {
    let mut rings = [ours::ring(), ours::ring()];
    let numbers = rings.each_ref().map(|ring| ring.kernel().descriptor());
    for (ring, number) in rings.iter_mut().zip([numbers[1], numbers[0]]) {
        let descriptor = uring_safe_cancel::Descriptor::Borrowed(number);
        ours::submit(ring, Poll { descriptor, events: libc::POLLIN as u32 }, ours::PLAIN, 0);
        ours::flush_idle(ring);
    }
    for ring in &mut rings {
        ring.cancel_all();
        let done = drain(ring);
        // The end of the first may make the descriptor of its ring readable.
        let verdict = done[0].verdict;
        assert!(matches!(verdict, Verdict::Cancelled | Verdict::Completed(_)), "{verdict:?}");
    }
}

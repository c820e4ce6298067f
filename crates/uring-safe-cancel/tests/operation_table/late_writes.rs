//! Closing a ring gives nothing back: the kernel writes on. So the library never frees what the kernel may write to.

use super::environment::{file, lacks, pattern, release, DISK};
use super::fuse::is_mapped;
use super::ours::{self, TestRing};
use super::raw::{leaked, Raw};
use super::sources::pipe;
use io_uring::squeue::Flags;
use io_uring::{opcode, types};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};
use uring_safe_cancel::operation::CURRENT_POSITION;
use uring_safe_cancel::{Memory, Operation, Verdict};

const LENGTH: usize = 16 << 20;
const PAGE: usize = 4096;
/// A device may be done before the ring is closed; so many times in a row it is not.
const ATTEMPTS: u32 = 50;
/// A device that has written nothing for so long has nothing left to write.
const STILL: Duration = Duration::from_secs(2);

/// How many pages have been written to. Volatile, because the kernel writes meanwhile.
fn filled(address: usize, length: usize) -> usize {
    (0..length / PAGE)
        .filter(|page| {
            // SAFETY: the pages are leaked: mapped for ever, and aligned.
            unsafe { ((address + page * PAGE) as *const u64).read_volatile() != 0 }
        })
        .count()
}

/// How many pages are filled when nobody fills more. All, unless the kernel ended what it had not given to the
/// device yet: a part that had to wait for room there is a worker's, and ends with the ring (seen on 5.10).
fn filled_in_the_end(address: usize, length: usize) -> usize {
    let mut count = filled(address, length);
    let mut since = Instant::now();
    while count < length / PAGE && since.elapsed() < STILL {
        std::thread::sleep(Duration::from_millis(1));
        let now = filled(address, length);
        if now != count {
            (count, since) = (now, Instant::now());
        }
    }
    count
}

#[test]
fn the_kernel_fills_the_pages_of_a_direct_read_after_its_ring_was_closed() {
    if lacks(DISK) {
        return;
    }
    let file = file(LENGTH, libc::O_DIRECT);
    let (mut hits, mut rounds, mut seen) = (0, 0, String::new());
    while hits == 0 && rounds < ATTEMPTS {
        rounds += 1;
        let buffer = leaked(LENGTH);
        let address = buffer.as_ptr() as usize;
        let mut raw = Raw::new();
        let fd = types::Fd(file.as_raw_fd());
        let read = opcode::Read::new(fd, buffer.as_mut_ptr(), LENGTH as u32).build();
        raw.submit(read, false);
        let begun = Instant::now();
        drop(raw);
        let closing = begun.elapsed();
        let at_close = filled(address, LENGTH);
        if at_close < LENGTH / PAGE {
            std::thread::sleep(Duration::from_millis(500));
            let later = filled(address, LENGTH);
            hits += u32::from(later > at_close);
            seen = format!(
                "close took {closing:?}, {at_close} of {} pages were filled then, {later} later",
                LENGTH / PAGE
            );
        }
    }
    println!("row: ring close, O_DIRECT read, plain; kernel: {seen}, hit {hits} of {rounds}; library: see below");
    if release() == (6, 18) {
        assert!(hits > 0, "no page was filled late");
    }
}

const PIPES: usize = 64;

/// The bytes are there when the ring is closed; a worker of the kernel takes them when it comes to it.
#[test]
fn the_kernel_reads_from_pipes_after_their_ring_was_closed() {
    let (mut late, mut rounds) = (0, 0);
    while late == 0 && rounds < ATTEMPTS {
        rounds += 1;
        let pipes: Vec<_> = (0..PIPES).map(|_| pipe()).collect();
        let buffers: Vec<usize> = pipes.iter().map(|_| leaked(PAGE).as_ptr() as usize).collect();
        write_to_all(&pipes);
        let mut raw = Raw::new();
        for ((reader, _), &buffer) in pipes.iter().zip(&buffers) {
            let fd = types::Fd(reader.as_raw_fd());
            raw.queue(opcode::Read::new(fd, buffer as *mut u8, 8).build(), Flags::ASYNC);
        }
        raw.enter();
        drop(raw);
        let at_close: usize = buffers.iter().map(|&buffer| filled(buffer, PAGE)).sum();
        std::thread::sleep(Duration::from_millis(10));
        late += buffers.iter().map(|&buffer| filled(buffer, PAGE)).sum::<usize>() - at_close;
    }
    println!(
        "row: ring close, pipe reads, async; kernel: {late} of {} buffers were written to after it; library: see below",
        rounds as usize * PIPES
    );
}

fn write_to_all(pipes: &[(OwnedFd, OwnedFd)]) {
    for (_, writer) in pipes {
        let mut writer = std::fs::File::from(writer.try_clone().unwrap());
        writer.write_all(&u64::MAX.to_ne_bytes()).unwrap();
    }
}

/// A ring with asynchronous reads of pipes in flight, and where each will put its bytes.
fn reading(pipes: &[(OwnedFd, OwnedFd)]) -> (TestRing, Vec<usize>) {
    let mut ring = ours::ring();
    let mut addresses = Vec::new();
    for (client, (reader, _)) in pipes.iter().enumerate() {
        let read = ours::read(&ring, reader, PAGE, CURRENT_POSITION);
        addresses.push(read.memory.address());
        ours::submit(&mut ring, read, ours::ASYNCHRONOUS, client);
    }
    // All of them, and nothing is taken from the kernel.
    ring.flush(0, &mut |_| ());
    (ring, addresses)
}

/// Everything that an arena gives in place of what was given up, filled.
fn successors(arena: &uring_safe_cancel::Arena, count: usize, length: usize) -> Vec<Memory> {
    let pieces: Vec<_> = (0..count).map(|_| arena.allocate(length).unwrap()).collect();
    for piece in &pieces {
        // SAFETY: the piece is new, ours, and as long.
        unsafe { piece.as_mut_ptr().write_bytes(0xAA, length) };
    }
    pieces
}

fn assert_untouched(pieces: &[Memory]) {
    for piece in pieces {
        // SAFETY: this test alone holds the piece.
        let bytes = unsafe { std::slice::from_raw_parts(piece.as_mut_ptr(), piece.len()) };
        assert!(bytes.iter().all(|&byte| byte == 0xAA), "the kernel wrote to another one's memory");
    }
}

#[test]
fn a_ring_that_gave_reads_up_leaves_their_memory_alone() {
    let (mut late, mut given_up) = (0, 0);
    const ROUNDS: usize = 20;
    for round in 0..ROUNDS {
        let pipes: Vec<_> = (0..PIPES).map(|_| pipe()).collect();
        let (is_early, is_kept) = (round % 2 == 0, round % 4 < 2);
        if is_early {
            write_to_all(&pipes);
        }
        let (mut ring, mut addresses) = reading(&pipes);
        let arena = ring.arena().clone();
        ring.abandon();
        let (mut stuck, mut over) = (0, Vec::new());
        ring.flush(usize::MAX, &mut |done| match done.operation {
            // What was read by then is delivered.
            Some(Operation::Read(read)) => {
                assert!(is_early && done.verdict == Verdict::Completed(8));
                over.push(read.memory.address());
            }
            _ => stuck += usize::from(done.verdict == Verdict::Stuck && done.operation.is_none()),
        });
        assert_eq!((stuck + over.len(), ring.pending()), (PIPES, 0), "all settled");
        assert!(is_early || stuck == PIPES, "all were in the kernel's hands");
        addresses.retain(|address| !over.contains(address));
        given_up += stuck;
        let kept = is_kept.then_some(ring);
        let at_end: usize = addresses.iter().map(|&address| filled(address, PAGE)).sum();
        let successors = successors(&arena, 2 * PIPES, PAGE);
        if !is_early {
            write_to_all(&pipes);
        }
        std::thread::sleep(Duration::from_millis(10));
        for &address in &addresses {
            assert!(is_mapped(address, PAGE));
            assert!(successors.iter().all(|piece| piece.address() != address), "used again");
        }
        late += addresses.iter().map(|&address| filled(address, PAGE)).sum::<usize>() - at_end;
        assert_untouched(&successors);
        drop(kept);
        let held = (2 * PIPES + stuck) * PAGE;
        assert_eq!(arena.usage().held, held, "what was given up stays held");
    }
    println!(
        "row: destroy or drop, pipe reads, async; kernel: {late} of {} written to afterwards; library: leaked, \
         never used again",
        given_up
    );
}

#[test]
fn a_direct_read_that_was_given_up_fills_its_own_pages_and_no_others() {
    if lacks(DISK) {
        return;
    }
    let file = file(LENGTH, libc::O_DIRECT);
    let expected = pattern(0, LENGTH);
    let (mut hits, mut rounds) = (0, 0);
    while hits == 0 && rounds < ATTEMPTS {
        rounds += 1;
        let mut ring = ours::ring();
        let arena = ring.arena().clone();
        let read = ours::read(&ring, &file, LENGTH, 0);
        let address = read.memory.address();
        ours::submit(&mut ring, read, ours::PLAIN, 1);
        ring.flush(usize::MAX, &mut |_| ());
        if ring.pending() == 0 {
            continue;
        }
        ring.abandon();
        let mut verdict = None;
        ring.flush(usize::MAX, &mut |done| verdict = Some(done.verdict));
        drop(ring);
        let at_drop = filled(address, LENGTH);
        if verdict != Some(Verdict::Stuck) || at_drop == LENGTH / PAGE {
            continue;
        }
        let successors = successors(&arena, 3, LENGTH);
        let in_the_end = filled_in_the_end(address, LENGTH);
        hits += u32::from(in_the_end > at_drop);
        // SAFETY: the pages are leaked, and the device has written the last of them.
        let bytes = unsafe { std::slice::from_raw_parts(address as *const u8, LENGTH) };
        for (found, expected) in bytes.chunks(PAGE).zip(expected.chunks(PAGE)) {
            assert!(found == expected || found.iter().all(|&byte| byte == 0));
        }
        assert_untouched(&successors);
        println!(
            "row: destroy or drop, O_DIRECT read, plain; kernel: {at_drop} of {} pages then, {in_the_end} in the end; library: \
             leaked, never used again (hit in attempt {rounds})",
            LENGTH / PAGE
        );
    }
    assert!(hits > 0, "the device was always done: the test proves nothing");
}

//! The library's side of a row.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use uring_safe_cancel::operation::{Read, ReadVectored, Vectors, Write, WriteVectored};
use uring_safe_cancel::ring::Answers;
use uring_safe_cancel::{
    Completion, Descriptor, Extra, Key, Memory, Operation, Options, RealKernel, Ring, Verdict,
};

pub type TestRing = Ring<RealKernel, usize>;

pub const PLAIN: Extra = Extra { asynchronous: false, timeout: None };
pub const ASYNCHRONOUS: Extra = Extra { asynchronous: true, timeout: None };

pub fn extra(asynchronous: bool) -> Extra {
    Extra { asynchronous, timeout: None }
}

pub fn ring_with(options: Options) -> TestRing {
    let kernel = RealKernel::new(options.entries, options.completions).expect("io_uring");
    let completions = kernel.completions();
    Ring::new(kernel, completions, options)
}

pub fn ring() -> TestRing {
    ring_with(Options::default())
}

pub fn submit(
    ring: &mut TestRing,
    operation: impl Into<Operation>,
    extra: Extra,
    client: usize,
) -> Key {
    ring.submit(operation.into(), extra, client).map_err(|refused| refused.refusal).expect("room")
}

pub fn borrowed(file: &impl AsRawFd) -> Descriptor {
    Descriptor::Borrowed(file.as_raw_fd())
}

pub fn read(ring: &TestRing, file: &impl AsRawFd, length: usize, offset: u64) -> Read {
    let memory = ring.arena().allocate_zeroed(length).unwrap();
    Read { descriptor: borrowed(file), memory, offset }
}

pub fn memory(ring: &TestRing, bytes: &[u8]) -> Memory {
    let memory = ring.arena().allocate(bytes.len()).unwrap();
    // SAFETY: the memory is new, ours, and as long.
    unsafe { memory.as_mut_ptr().copy_from(bytes.as_ptr(), bytes.len()) };
    memory
}

pub fn write(ring: &TestRing, file: &impl AsRawFd, bytes: &[u8], offset: u64) -> Write {
    Write { descriptor: borrowed(file), memory: memory(ring, bytes), offset }
}

/// The same as [`read`], into two halves.
pub fn readv(ring: &TestRing, file: &impl AsRawFd, length: usize, offset: u64) -> ReadVectored {
    let parts = vec![
        ring.arena().allocate_zeroed(length / 2).unwrap(),
        ring.arena().allocate_zeroed(length - length / 2).unwrap(),
    ];
    let vectors = Vectors::new(ring.arena(), parts, offset).unwrap();
    ReadVectored { descriptor: borrowed(file), vectors }
}

/// The same as [`write`], from two halves.
pub fn writev(ring: &TestRing, file: &impl AsRawFd, bytes: &[u8], offset: u64) -> WriteVectored {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let parts = vec![memory(ring, first), memory(ring, second)];
    let vectors = Vectors::new(ring.arena(), parts, offset).unwrap();
    WriteVectored { descriptor: borrowed(file), vectors }
}

/// Flushes; nothing may come of it.
pub fn flush_idle(ring: &mut TestRing) {
    ring.flush(usize::MAX, &mut |done| panic!("it should wait: {done:?}"));
}

/// Flushes until nothing is pending.
#[track_caller]
pub fn drain(ring: &mut TestRing) -> Vec<Completion<usize>> {
    let mut all = Vec::new();
    let begun = Instant::now();
    while ring.pending() > 0 {
        ring.flush_and_wait(&mut |completion| all.push(completion));
        assert!(begun.elapsed() < super::raw::PATIENCE, "it hangs: {:?}", ring.stats());
    }
    all.sort_by_key(|completion| completion.client);
    all
}

/// The next completion, if one comes in time.
pub fn next_within(ring: &mut TestRing, patience: Duration) -> Option<Completion<usize>> {
    let begun = Instant::now();
    let mut next = None;
    loop {
        ring.flush(1, &mut |completion| next = Some(completion));
        let left = patience.saturating_sub(begun.elapsed());
        if next.is_some() || left.is_zero() {
            return next;
        }
        let descriptor = ring.kernel().descriptor();
        let mut ready = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to one pollfd of this frame.
        unsafe { libc::poll(&mut ready, 1, left.as_millis().clamp(1, 50) as i32) };
    }
}

/// What a completed operation has in its memory.
pub fn bytes(completion: &Completion<usize>) -> Vec<u8> {
    let Verdict::Completed(count) = completion.verdict else { panic!("{completion:?}") };
    let parts: &[Memory] = match &completion.operation {
        Some(Operation::Read(read)) => std::slice::from_ref(&read.memory),
        Some(Operation::ReadVectored(read)) => &read.vectors.parts,
        _ => panic!("{completion:?}"),
    };
    let mut all = Vec::new();
    for part in parts {
        // SAFETY: the operation is over, and the completion holds its memory.
        all.extend_from_slice(unsafe { std::slice::from_raw_parts(part.as_mut_ptr(), part.len()) });
    }
    all.truncate(count as usize);
    all
}

/// What the library made of one cancelled operation.
#[derive(Debug)]
pub struct Ours {
    pub completion: Completion<usize>,
    pub answers: Answers,
}

/// Submits one operation, waits a little for the kernel to have it where it waits, cancels, and drains.
#[track_caller]
pub fn cancelled(
    ring: &mut TestRing,
    operation: impl Into<Operation>,
    extra: Extra,
    pause: Duration,
) -> Ours {
    let before = ring.stats();
    let key = submit(ring, operation, extra, 7);
    let mut done = Vec::new();
    ring.flush(usize::MAX, &mut |completion| done.push(completion));
    std::thread::sleep(pause);
    let is_pending = done.is_empty();
    assert_eq!(ring.cancel(key), is_pending, "what has settled cannot be cancelled, all else can");
    done.extend(drain(ring));
    assert_eq!(done.len(), 1, "it settles once");
    let completion = done.remove(0);
    assert_eq!((completion.client, completion.key), (7, key));
    assert!(!ring.cancel(key), "and then it cannot be cancelled");
    let after = ring.stats();
    assert_eq!((after.completed - before.completed, after.in_flight, after.queued), (1, 0, 0));
    Ours { completion, answers: difference(after.answers, before.answers) }
}

fn difference(after: Answers, before: Answers) -> Answers {
    Answers {
        found: after.found - before.found,
        not_found: after.not_found - before.not_found,
        already: after.already - before.already,
        other: after.other - before.other,
    }
}

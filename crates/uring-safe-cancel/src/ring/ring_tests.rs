//! The ring over a kernel that does what the real one can, but will not when asked.

#[path = "ring_tests/at_random.rs"]
mod at_random;
#[path = "ring_tests/bounded.rs"]
mod bounded;
#[path = "ring_tests/descriptors.rs"]
mod descriptors;
#[path = "ring_tests/live.rs"]
mod live;
#[path = "ring_tests/memory.rs"]
mod memory;
#[path = "ring_tests/nothing_lost.rs"]
mod nothing_lost;
#[path = "ring_tests/once.rs"]
mod once;
#[path = "ring_tests/timers.rs"]
mod timers;
#[path = "ring_tests/turns.rs"]
mod turns;

use super::fake_tests::*;
use crate::kernel::decoded::{Decoded, Queued};
use crate::machine::MAX_INTERRUPTIONS;
use crate::operation::{Close, Open, Read, ReadVectored, Sleep, Vectors, CURRENT_POSITION};
use crate::{CancelPolicy, Descriptor, Extra, Key, Operation, Options, Refusal, Verdict};
use std::fs::File;
use std::os::fd::AsRawFd;
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

fn submit_reads(ring: &mut FakeRing, clients: std::ops::Range<u32>) {
    for client in clients {
        submit_read(ring, client);
    }
}

fn submit_all_at_position(ring: &mut FakeRing, file: &File, clients: std::ops::Range<u32>) {
    for client in clients {
        submit_at_position(ring, file, Extra::default(), client);
    }
}

/// Flushes, and again a millisecond later, as an owner does whose kernel takes nothing.
fn run_twice(ring: &mut FakeRing) -> Vec<(u32, Verdict)> {
    let mut done = settle(ring);
    done.extend(settle(ring));
    done
}

const RETRY: Duration = Duration::from_micros(200);

fn descriptor_of(submission: &Queued) -> Option<i32> {
    match submission.work {
        Decoded::Read { descriptor, .. } => Some(descriptor),
        _ => None,
    }
}

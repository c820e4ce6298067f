//! Reads and writes by a ring on the real kernel, against the system calls that they stand for.

use proptest::prelude::*;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use uring_safe_cancel::operation::{Read, Write, CURRENT_POSITION};
use uring_safe_cancel::{Descriptor, Extra, Operation, Options, RealKernel, Ring, Verdict};

fn file() -> File {
    // SAFETY: the name ends in NUL, and nobody else knows the descriptor.
    unsafe { File::from_raw_fd(libc::memfd_create(c"properties".as_ptr(), libc::MFD_CLOEXEC)) }
}

fn ring(entries: u32, completions: u32) -> Ring<RealKernel, ()> {
    let kernel = RealKernel::new(entries, completions).expect("io_uring");
    let completions = kernel.completions();
    assert!(kernel.entries() >= 1 && completions >= 8);
    Ring::new(kernel, completions, Options { entries, ..Options::default() })
}

fn outcome(ring: &mut Ring<RealKernel, ()>, operation: Operation) -> (Verdict, Operation) {
    ring.submit(operation, Extra::default(), ()).map_err(|refused| refused.refusal).expect("room");
    let mut done = Vec::new();
    while done.is_empty() {
        ring.flush_and_wait(&mut |completion| done.push(completion));
    }
    let completion = done.remove(0);
    (completion.verdict, completion.operation.expect("it ended"))
}

/// What a system call said, as a verdict.
fn verdict(result: isize) -> Verdict {
    match i32::try_from(result) {
        Ok(count @ 0..) => Verdict::Completed(count),
        _ => {
            let error = std::io::Error::last_os_error();
            Verdict::Failed(error.raw_os_error().expect("errno"))
        }
    }
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..20_000u64,
        1 => any::<u64>(),
        1 => prop::sample::select(vec![1 << 62, i64::MAX as u64, 1 << 63, u64::MAX - 1]),
    ]
}

#[derive(Clone, Debug)]
struct Transfer {
    writes: bool,
    length: usize,
    offset: u64,
    number: RawFd,
}

fn transfer() -> impl Strategy<Value = Transfer> {
    // A number of none: no file of this process is that far up.
    let number = prop_oneof![8 => Just(0), 1 => Just(-1), 1 => Just(i32::MAX), 1 => any::<i32>().prop_map(|n| n | 1 << 30)];
    (any::<bool>(), 0..9000usize, offset(), number).prop_map(|(writes, length, offset, number)| {
        // As far as tmpfs goes; beyond it, the test would fill the machine's memory with holes.
        Transfer { writes, length, offset, number }
    })
}

proptest! {
    #![proptest_config(crate::config(48))]

    #[test]
    fn clause_4_nothing_lost_reads_and_writes_are_pread_and_pwrite(
        transfers in prop::collection::vec(transfer(), 1..20),
        entries in 1u32..64,
    ) {
        let (mine, theirs) = (file(), file());
        let mut ring = ring(entries, 16);
        for (index, Transfer { writes, length, offset, number }) in transfers.into_iter().enumerate() {
            // The current position is another matter.
            let offset = if offset == CURRENT_POSITION { 0 } else { offset };
            let is_open = number == 0;
            let number = if is_open { mine.as_raw_fd() } else { number };
            let memory = ring.arena().allocate(length).expect("room");
            let fill = index as u8 + 1;
            // SAFETY: the piece was just allocated.
            unsafe { memory.as_mut_ptr().write_bytes(fill, length) };
            let mut bytes = vec![fill; length];
            let descriptor = Descriptor::Borrowed(number);
            let operation: Operation = match writes {
                true => Write { descriptor, memory: memory.clone(), offset }.into(),
                false => Read { descriptor, memory: memory.clone(), offset }.into(),
            };
            let (got, _) = outcome(&mut ring, operation);
            if !is_open {
                // (pread(2) looks at the offset first.)
                prop_assert_eq!(got, Verdict::Failed(libc::EBADF));
                continue;
            }
            let at = offset as libc::off_t;
            let number = theirs.as_raw_fd();
            let expected = match writes {
                // SAFETY: the bytes are this frame's.
                true => verdict(unsafe { libc::pwrite(number, bytes.as_ptr().cast(), length, at) }),
                false => {
                    // SAFETY: as above.
                    verdict(unsafe { libc::pread(number, bytes.as_mut_ptr().cast(), length, at) })
                }
            };
            prop_assert_eq!(got, expected);
            // SAFETY: the operation is over, and the test alone has the piece.
            let read = unsafe { std::slice::from_raw_parts(memory.as_mut_ptr(), length) };
            prop_assert!(read == bytes, "other bytes");
        }
    }

    #[test]
    fn queues_of_any_size_are_made_or_refused(entries in any::<u32>(), completions in any::<u32>()) {
        // What is small enough must work; what is larger may be too much for the kernel, or for the limit
        // of locked memory, and then it says so.
        let (entries, completions) = (entries >> (entries % 32), completions >> (completions % 32));
        match RealKernel::new(entries, completions) {
            Ok(kernel) => prop_assert!(kernel.completions() >= 8 && kernel.entries() >= 1),
            Err(error) => {
                prop_assert!(entries > 32_768 || completions > 65_536, "{}", error);
            }
        }
    }
}

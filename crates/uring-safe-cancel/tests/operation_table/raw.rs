//! The kernel without the library: the io-uring crate, and one cancel after the other.

use io_uring::squeue::{Entry, Flags};
use io_uring::{opcode, IoUring};
use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// A result that did not come within this time will not come by itself: a cancel that works has its CQE within
/// 0.02 ms. Too short only costs another cancel.
const LOST: Duration = Duration::from_millis(100);
/// Nothing here takes as long on any machine, unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Memory that is never freed: whatever the kernel does with it, and whenever, nobody else has it.
pub fn leaked(length: usize) -> &'static mut [u8] {
    // SAFETY: an anonymous mapping at an address of the kernel's choice disturbs no other one.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(address, libc::MAP_FAILED);
    // SAFETY: the mapping was just made, is as long, zeroed, and never unmapped.
    unsafe { std::slice::from_raw_parts_mut(address.cast(), length) }
}

/// A ring, with one tag for each SQE that it ever had.
pub struct Raw {
    ring: IoUring,
    seen: HashMap<u64, i32>,
    tags: u64,
}

/// What cancelling one operation came to.
#[derive(Clone, Debug)]
pub struct Fate {
    /// What each cancel answered.
    pub answers: Vec<i32>,
    /// The final result.
    pub result: i32,
}

impl Raw {
    pub fn new() -> Self {
        let ring = IoUring::builder().dontfork().build(256).expect("io_uring");
        Self { ring, seen: HashMap::new(), tags: 0 }
    }

    /// Whether the kernel has an operation.
    pub fn has(&self, code: u8) -> bool {
        let mut probe = io_uring::Probe::new();
        self.ring.submitter().register_probe(&mut probe).expect("a probe");
        probe.is_supported(code)
    }

    /// Queues an entry, whose addresses must be those of [`leaked`] memory; its tag.
    pub fn queue(&mut self, entry: Entry, flags: Flags) -> u64 {
        self.tags += 1;
        let entry = entry.flags(flags).user_data(self.tags);
        // SAFETY: what the entry points to is never freed.
        unsafe { self.ring.submission().push(&entry) }.expect("room");
        self.tags
    }

    pub fn enter(&mut self) {
        self.ring.submit().expect("the kernel takes it");
    }

    /// Queues an entry and hands it to the kernel.
    pub fn submit(&mut self, entry: Entry, asynchronous: bool) -> u64 {
        let flags = if asynchronous { Flags::ASYNC } else { Flags::empty() };
        let tag = self.queue(entry, flags);
        self.enter();
        tag
    }

    /// Cancels, and waits for the answer.
    pub fn cancel(&mut self, target: u64) -> i32 {
        let tag = self.submit(opcode::AsyncCancel::new(target).build(), false);
        self.result(tag, PATIENCE).expect("each cancel is answered")
    }

    /// Whether the result is there.
    pub fn is_done(&mut self, tag: u64) -> bool {
        self.result(tag, Duration::ZERO).is_some()
    }

    /// The result, if it comes in time.
    pub fn result(&mut self, tag: u64, patience: Duration) -> Option<i32> {
        let begun = Instant::now();
        loop {
            // Before it looks: a machine that paused in between must not count as a kernel that was silent.
            let left = patience.checked_sub(begun.elapsed());
            for entry in self.ring.completion() {
                let before = self.seen.insert(entry.user_data(), entry.result());
                assert_eq!(before, None, "two results");
            }
            if let Some(&result) = self.seen.get(&tag) {
                return Some(result);
            }
            let left = left?;
            let mut ready =
                libc::pollfd { fd: self.ring.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: the pointer is to one pollfd of this frame.
            unsafe { libc::poll(&mut ready, 1, left.as_millis().clamp(1, 1000) as i32) };
        }
    }

    /// Cancels an operation until its result is there.
    pub fn end(&mut self, target: u64) -> Fate {
        let mut answers = Vec::new();
        let begun = Instant::now();
        loop {
            answers.push(self.cancel(target));
            if let Some(result) = self.result(target, LOST) {
                return Fate { answers, result };
            }
            assert!(begun.elapsed() < PATIENCE, "no cancel ends it: {answers:?}");
        }
    }

    /// Cancels an operation once, and waits for its result as long as it takes.
    pub fn cancel_once(&mut self, target: u64) -> Fate {
        let answer = self.cancel(target);
        let result = self.result(target, PATIENCE).expect("it ends by itself");
        Fate { answers: vec![answer], result }
    }
}

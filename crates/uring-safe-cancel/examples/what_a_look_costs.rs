//! What it costs to ask what a descriptor leads to, beside what is asked of a pipe and beside a system call that does nothing:
//! `cargo run --release -p uring-safe-cancel --example what_a_look_costs`. For docs/performance-notes.md.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use uring_safe_cancel::descriptor::FileKind;

const CALLS: u32 = 200_000;
/// The least of so many runs counts: whatever else the machine does only adds.
const RUNS: u32 = 9;

fn least(call: impl Fn()) -> Duration {
    let run = |_| {
        let begun = Instant::now();
        (0..CALLS).for_each(|_| call());
        begun.elapsed() / CALLS
    };
    (0..RUNS).map(run).min().unwrap_or_default()
}

fn main() -> std::io::Result<()> {
    let (reader, _writer) = std::io::pipe()?;
    let number = reader.as_raw_fd();
    let look = least(|| assert_eq!(FileKind::of(number), FileKind::Pipe));
    // SAFETY: the call takes two integers.
    let pipe = least(|| assert!(unsafe { libc::fcntl(number, libc::F_GETPIPE_SZ) } > 0));
    // SAFETY: the call takes nothing.
    let nothing = least(|| assert!(unsafe { libc::getppid() } >= 0));
    println!("a look {look:?}, F_GETPIPE_SZ {pipe:?}, getppid {nothing:?}");
    Ok(())
}

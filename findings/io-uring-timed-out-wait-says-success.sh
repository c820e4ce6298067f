#!/usr/bin/env bash
# io_uring (seen on Linux 6.18, io-uring 0.7.16 of crates.io): a wait that timed out or was interrupted says success, if the
# same call submitted something.
#
# Expected: of a wait with a timeout, the manual of liburing's io_uring_submit_and_wait_timeout(3) (2.x) says that -ETIME is
# returned if no completion came within the time; for a signal one expects EINTR, as from poll(2). The crate's
# submit_with_args returns a Result, and Err for both, when it only waits.
# Happens: io_uring_enter returns the number of entries that it took, if any, and drops the error of the wait. So
# submit_with_args(1, timeout) with one entry in the queue is Ok(1) with no completion, after the full time; so is a
# submit_and_wait(1) that a signal cut short. Without an entry in the queue the same calls are Err.
# Hurts: event loops that run their timers on ETIME, or look for signals on EINTR: right when idle, and silent in the very
# rounds that submit work. And `submit_and_wait(1)?; completion().next().unwrap()` panics after a signal, once in a while.
# Instead: never infer from the result: look at the clock, at the completion queue, and at a flag of the signal handler.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
io-uring = "=0.7.16"
libc = "=0.2.191"
E
cat >src/main.rs <<'E'
use io_uring::{opcode, types, IoUring};

extern "C" fn handle(_: libc::c_int) {}

fn signal_soon() {
    let thread = unsafe { libc::pthread_self() };
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
    });
}

fn main() {
    unsafe { libc::signal(libc::SIGUSR1, handle as *const () as usize) };
    let mut pipe = [0; 2];
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    let time = types::Timespec::new().nsec(100_000_000);
    let timeout = types::SubmitArgs::new().timespec(&time);
    for submit in [false, true] {
        let mut ring = IoUring::new(8).unwrap();
        let mut buffer = Box::leak(Box::new([[0u8; 8]; 2])).iter_mut();
        let mut push = |ring: &mut IoUring| {
            let buffer = buffer.next().unwrap();
            // A read of an empty pipe: no completion comes.
            let entry = opcode::Read::new(types::Fd(pipe[0]), buffer.as_mut_ptr(), 8).offset(!0).build();
            unsafe { ring.submission().push(&entry).unwrap() };
        };
        let name = if submit { "submits and waits" } else { "only waits" };
        if submit {
            push(&mut ring);
        }
        let result = ring.submitter().submit_with_args(1, &timeout).map_err(|error| error.raw_os_error());
        println!("{name}, timed out: {result:?}, {} completions", ring.completion().len());
        if submit {
            push(&mut ring);
        }
        signal_soon();
        let result = ring.submit_and_wait(1).map_err(|error| error.raw_os_error());
        println!("{name}, interrupted: {result:?}, {} completions", ring.completion().len());
    }
}
E
nice cargo build --quiet 2>&1; echo "Linux $(uname -r | cut -d. -f1-2), io-uring 0.7.16"
./target/debug/finding | tee out
grep -q '^only waits, timed out: Err(Some(62)), 0 completions$' out
grep -q '^only waits, interrupted: Err(Some(4)), 0 completions$' out
grep -q '^submits and waits, timed out: Ok(1), 0 completions$' out
grep -q '^submits and waits, interrupted: Ok(1), 0 completions$' out

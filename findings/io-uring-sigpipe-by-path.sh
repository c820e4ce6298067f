#!/usr/bin/env bash
# io_uring (seen on Linux 6.18): whether a write to a broken pipe raises SIGPIPE depends on who carried it out.
#
# Expected: write(2) and pipe(7): to write to a pipe without readers sends SIGPIPE to the writer and fails with EPIPE.
# io_uring_enter(2) says that errors come as the operation's result, and nothing of signals; so always, or never.
# Happens: a write that the submitting thread carries out inline sends SIGPIPE, which ends a program by default, in the
# middle of io_uring_enter. The same write by a kernel worker (IOSQE_ASYNC here; also after what forces a worker) sends
# none: -EPIPE only.
# Hurts: C programs and plugins with the default SIGPIPE: alive where a worker wrote, killed where not.
# And those that rely on the signal to end (`program | head`) go on for ever with -EPIPE.
# Instead: ignore SIGPIPE and look at the result; for sockets use send with MSG_NOSIGNAL.
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
use io_uring::{opcode, squeue::Flags, types, IoUring};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

static HANDLED: AtomicUsize = AtomicUsize::new(0);
extern "C" fn handle(_: libc::c_int) {
    HANDLED.fetch_add(1, SeqCst);
}

fn main() {
    unsafe { libc::signal(libc::SIGPIPE, handle as *const () as usize) };
    let mut ring = IoUring::new(8).unwrap();
    for (name, flags) in [("inline", Flags::empty()), ("IOSQE_ASYNC", Flags::ASYNC), ("inline", Flags::empty())] {
        let mut pipe = [0; 2];
        unsafe {
            assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
            libc::close(pipe[0]);
            let entry = opcode::Write::new(types::Fd(pipe[1]), b"x".as_ptr(), 1).offset(!0).build().flags(flags);
            ring.submission().push(&entry).unwrap();
            // A signal may interrupt the wait.
            while ring.submit_and_wait(1).is_err() || ring.completion().is_empty() {}
            let result = ring.completion().next().unwrap().result();
            assert_eq!(result, -libc::EPIPE);
            println!("{name}: -EPIPE, and {} SIGPIPE", HANDLED.swap(0, SeqCst));
            libc::close(pipe[1]);
        }
    }
}
E
nice cargo build --quiet 2>&1; echo "Linux $(uname -r | cut -d. -f1-2), io-uring 0.7.16"
./target/debug/finding | tee out
[ "$(grep -c '^inline: -EPIPE, and 1 SIGPIPE$' out)" = 2 ]
grep -q '^IOSQE_ASYNC: -EPIPE, and 0 SIGPIPE$' out

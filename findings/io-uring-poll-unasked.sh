#!/usr/bin/env bash
# io_uring (seen on Linux 6.18): IORING_OP_POLL_ADD ends for POLLRDHUP, which was not asked for, where poll(2) goes on.
#
# Expected: io_uring_enter(2): it works like an epoll in one-shot mode for the events of the mask. Of poll(2) and epoll only
# POLLERR and POLLHUP come unasked; POLLRDHUP must be asked for (poll(2), epoll_ctl(2)).
# Happens: the kernel adds POLLRDHUP to every mask. When the peer has shut down its sending side, a poll for POLLPRI alone
# ends with POLLRDHUP (0x2000) alone, and one for POLLIN carries that bit too.
# Hurts: code that takes "the poll ended" for "what I asked for is there", or that compares the result with the mask: it
# reads urgent data that is not there, and takes half-closed connections for dead ones, though they still take data.
# Instead: and the result with what was asked for; if nothing is left, the peer has shut down.
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

fn main() {
    let mut ring = IoUring::new(8).unwrap();
    for (name, events) in [("POLLPRI", libc::POLLPRI), ("POLLIN", libc::POLLIN)] {
        let mut pair = [0; 2];
        unsafe {
            assert_eq!(libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()), 0);
            libc::shutdown(pair[1], libc::SHUT_WR);
            let mut poll = libc::pollfd { fd: pair[0], events, revents: 0 };
            libc::poll(&mut poll, 1, 200);
            let poll_add = opcode::PollAdd::new(types::Fd(pair[0]), events as u32).build().user_data(1);
            // No later than after 200 ms, as poll(2) above.
            let time = types::Timespec::new().nsec(200_000_000);
            let timeout = opcode::Timeout::new(&time).build().user_data(2);
            ring.submission().push_multiple(&[poll_add, timeout]).unwrap();
            ring.submit_and_wait(1).unwrap();
            let first = ring.completion().next().unwrap();
            println!("asked for {name} ({events:#x}): poll(2) {:#x}, io_uring {:#x}", poll.revents, if first.user_data() == 1 { first.result() } else { 0 });
            ring = IoUring::new(8).unwrap();
        }
    }
}
E
nice cargo build --quiet 2>&1; echo "Linux $(uname -r | cut -d. -f1-2), io-uring 0.7.16"
./target/debug/finding | tee out
grep -q '^asked for POLLPRI (0x2): poll(2) 0x0, io_uring 0x2000$' out
grep -q '^asked for POLLIN (0x1): poll(2) 0x1, io_uring 0x2001$' out

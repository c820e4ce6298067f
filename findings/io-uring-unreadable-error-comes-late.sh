#!/usr/bin/env bash
# io_uring (seen on Linux 6.18): the error of a read that can never work comes only once the descriptor is "readable".
#
# Expected: a pidfd and an epoll descriptor cannot be read: read(2) says EINVAL at once, each time. A wrong operation fails
# at once through io_uring, too, as one on a descriptor that is open for writing only does (EBADF).
# Happens: the kernel asks first whether the file can be read without blocking, then waits for POLLIN, and calls its read, that
# it has not, only after that. So a read of the pidfd of a process that runs waits as long as the process does, then says
# EINVAL; one of an epoll descriptor waits until an event is ready. Nothing tells the mistake from a read that waits.
# Hurts: generic layers ("read whatever descriptor I was given"): instead of an error that names the bug, a promise or future
# that hangs for as long as the other side is idle, and a test that passes because its process had ended already.
# Instead: ask read(2) with a length of 0 first (it says EINVAL without waiting for anything), or use IORING_OP_POLL_ADD.
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

fn results(ring: &mut IoUring) -> Vec<i32> {
    let time = types::Timespec::new().nsec(300_000_000);
    let _ = ring.submitter().submit_with_args(1, &types::SubmitArgs::new().timespec(&time));
    ring.completion().map(|entry| entry.result()).collect()
}

fn show(name: &str, fd: i32, make_ready: impl FnOnce()) {
    let mut ring = IoUring::new(8).unwrap();
    let buffer = Box::leak(Box::new([0u8; 64]));
    for length in [0, 64] {
        let read = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), length) };
        println!("{name}: read(2) of {length}: {read}, {:?}", std::io::Error::last_os_error().raw_os_error());
    }
    let read = opcode::Read::new(types::Fd(fd), buffer.as_mut_ptr(), 64).offset(!0).build();
    unsafe { ring.submission().push(&read).unwrap() };
    ring.submit().unwrap();
    println!("{name}: io_uring, after 300 ms: {:?}", results(&mut ring));
    make_ready();
    println!("{name}: io_uring, then made ready: {:?}", results(&mut ring));
}

fn main() {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) } as i32;
    show("pidfd", pidfd, || child.kill().unwrap());
    child.wait().unwrap();
    unsafe {
        let (epoll, event) = (libc::epoll_create1(0), libc::eventfd(0, 0));
        let mut interest = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        assert_eq!(libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, event, &mut interest), 0);
        show("epoll", epoll, || {
            libc::eventfd_write(event, 1);
        });
    }
}
E
nice cargo build --quiet 2>&1; echo "Linux $(uname -r | cut -d. -f1-2), io-uring 0.7.16"
./target/debug/finding | tee out
for name in pidfd epoll; do
  [ "$(grep -c "^$name: read(2) of .*: -1, Some(22)\$" out)" = 2 ]
  grep -q "^$name: io_uring, after 300 ms: \[\]\$" out
  grep -q "^$name: io_uring, then made ready: \[-22\]\$" out
done
